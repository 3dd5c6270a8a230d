"""Whoever follows words is told of what recalls by each of these words find, and of nothing else."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from engram.store import Cue, MemoryStore, Space, StoreOptions
from engram.store.recall.full_text import words_of

WORDS: Final = [
    "pump",
    "Pumps",
    "pumping",
    "leak",
    "leaks",
    "door",
    "Tür",
    "TÜRE",
    "42",
    "a_b",
    "it's",
    "–",
    "记忆",
    "",
]
TEXTS: Final = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)


def found(space: Space, word: str) -> set[int]:
    """The generations of what has a word, as a recall finds it."""
    return {hit.generation for hit in space.recall(Cue(text=word, by="words"), k=1000)}


@given(texts=st.lists(TEXTS, min_size=1, max_size=12), cue=TEXTS.filter(bool))
@settings(max_examples=100, deadline=None)
def test_a_follower_by_words_is_told_of_what_has_all_of_them(texts: list[str], cue: str) -> None:
    with MemoryStore(None, options=StoreOptions(workers=1)) as store:
        space = store.space("notes", vectors="none")
        space.observe([f"id-{number}" for number in range(len(texts))], contents=texts)
        told = [hit.generation for hit in space.follow(Cue(text=cue, by="words"), after_generation=0, timeout_s=0)]
        words = [word for word in words_of(cue) if word.strip("_")]
        wanted = set.intersection(*(found(space, word) for word in words)) if words else set()
        assert told == sorted(wanted)
