"""One store answers the same, and refuses with the same errors to the letter, whichever way it is asked.

Among its spaces are one with a damaged observation, one that lost its log, and one of a newer version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from engram import Cue, Filter, Hit, Hits, MemoryStore, StoreOptions
from engram.errors import CorruptData, EngramError, FailedPrecondition, NewerFormat, NotFound
from tests.doubles.damaged import flip_stored, logs_of
from tests.integration.refused_calls import REFUSED
from tests.integration.server_process import DIM, vectors_of
from tests.integration.side_by_side import OneStore

# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
LONG = 256
RETAINED = 5
CUE = vectors_of(["a"], LONG)[0]
Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneStore]:
    data = tmp_path_factory.mktemp("one") / "data"
    # With a checkpoint, an opening reads no vectors, and so does not come to the damaged one.
    with MemoryStore(data, options=StoreOptions(checkpoint_rest_count_min=1)) as made:
        for name in ("sound", "damaged", "lost", "newer"):
            space = made.space(name, LONG)
            for id in "abcdefgh":
                # A record each, so that each has sectors of its own.
                space.observe([id], vectors_of([id], LONG), [f"text of {id}"], tags=[["x"]], metadata=[{"id": id}])
        made.space("small", DIM).observe("there", np.ones(DIM))
    flip_stored(data, vectors_of(["g"], LONG).tobytes(), "damaged")
    logs_of(data, "lost")[0].unlink()
    described = data / "spaces" / "newer" / "space.json"
    newer = {**json.loads(described.read_text()), "format": 3, "needs": "0.9.0", "crc32c": None}
    described.write_text(json.dumps(newer))
    running = OneStore(data, StoreOptions(retained_count=RETAINED))
    yield running
    running.close()


def told(answer: Any) -> Any:
    """What an answer says, apart from what each moment changes, and from vectors, which an embedded hit always has."""
    if isinstance(answer, Hits):
        return [[told(hit) for hit in answer], answer.generation, answer.incomplete]
    if isinstance(answer, Hit):
        told_of = {each.name for each in fields(answer) if each.init} - {"vector", "recalled_us", "indexed"}
        return {name: getattr(answer, name) for name in told_of}
    return [told(each) for each in answer] if isinstance(answer, list) else answer


def outcomes(store: OneStore, space: str, call: Call) -> dict[str, Any]:
    """What each way to the space leads to: an answer, or an error with all that it says."""
    found = {}
    for name, opened in store.faces(space).items():
        try:
            with opened() as face:
                found[name] = told(call(face))
        except EngramError as error:
            found[name] = (type(error), vars(error))
    return found


def agreed(store: OneStore, space: str, call: Call) -> Any:
    """What all ways agree on."""
    found = outcomes(store, space, call)
    assert found == dict.fromkeys(found, found["embedded"])
    return found["embedded"]


READS: dict[str, Call] = {
    "recall": lambda home: home.recall(CUE),
    "recall of few": lambda home: home.recall(CUE, 3),
    "recall without what is damaged": lambda home: home.recall(CUE, skip_damaged=True),
    "recall as of a generation": lambda home: home.recall(CUE, max_generation=5),
    "recall by words": lambda home: home.recall(Cue(text="text b", by="words")),
    "recall of the newest": lambda home: home.recall(Cue(filter=Filter(tags={"x"}))),
    "recall by both": lambda home: home.recall(Cue(text="text b", by="both")),
    "recall of another dimension": lambda home: home.recall(CUE[:DIM]),
    "recall of the future": lambda home: home.recall(CUE, max_generation=99),
    "stream": lambda home: list(home.recall_stream(CUE, 8, 3)),
    "stream without what is damaged": lambda home: list(home.recall_stream(CUE, 8, 3, skip_damaged=True)),
    "stream as of a generation": lambda home: list(home.recall_stream(CUE, max_generation=4)),
    "get": lambda home: home.get("a"),
    "get as of a generation": lambda home: home.get("h", 7),
    "get of nothing": lambda home: home.get("never"),
    "get of what is damaged elsewhere": lambda home: home.get("g"),
    "vector": lambda home: home.get("a", include_vectors=True).vector.tolist(),
    "vector that is damaged": lambda home: home.get("g", include_vectors=True).vector.tolist(),
    "snapshot": lambda home: home.snapshot().generation,
    "recall of a snapshot": lambda home: home.snapshot(6).recall(CUE),
    "stream of a snapshot": lambda home: list(home.snapshot(6).recall_stream(CUE, batch_size=2)),
    "get of a snapshot": lambda home: home.snapshot(6).get("g"),
    "statistics": lambda home: home.stats().live_count,
}
EXPIRED: dict[str, Call] = {
    "recall": lambda home: home.recall(CUE, max_generation=0),
    "recall as of a time": lambda home: home.recall(CUE, snapshot_time=0),
    "stream": lambda home: list(home.recall_stream(CUE, max_generation=0)),
    "stream as of a time": lambda home: list(home.recall_stream(CUE, snapshot_time=0)),
    "get": lambda home: home.get("a", 0),
    "snapshot": lambda home: home.snapshot(0),
    "snapshot as of a time": lambda home: home.snapshot(snapshot_time=0),
}
WRITES: dict[str, Call] = {
    "observe": lambda home: home.observe("a", CUE),
    "observe many": lambda home: home.observe(["a"], [CUE]),
    "submit": lambda home: home.submit("a", CUE).result(),
    "delete": lambda home: home.delete(["a"]),
}
# What did not exist then.
NOTHING = {"get of nothing", "get as of a generation", "get of a snapshot"}
# What needs the vector that is damaged.
HARMED = {"recall", "recall of few", "stream", "vector that is damaged"}


@pytest.mark.parametrize("name", READS)
def test_a_sound_space_answers_alike(store: OneStore, name: str) -> None:
    answer = agreed(store, "sound", READS[name])
    assert (answer is None) == (name in NOTHING)


@pytest.mark.parametrize("name", READS)
def test_damage_is_told_alike(store: OneStore, name: str) -> None:
    answer = agreed(store, "damaged", READS[name])
    assert (isinstance(answer, tuple) and answer[0] is CorruptData) == (name in HARMED)


def test_a_standing_recall_that_comes_to_damage_says_so_alike(store: OneStore) -> None:
    def heard(home: Any) -> Any:
        following = home.recall_stream(Cue(CUE, score_min=-1.0), max_generation=4, follow=True)
        ids: list[str] = []

        def listen() -> None:
            for hits in following:
                ids.extend(hit.id for hit in hits)

        with pytest.raises(CorruptData) as refusal:
            listen()
        following.close()
        return sorted(ids[:4]), ids[4:], vars(refusal.value)

    before, later, _ = agreed(store, "damaged", heard)
    assert (before, later) == (list("abcd"), list("ef"))


@pytest.mark.parametrize("name", READS | WRITES)
@pytest.mark.parametrize(("space", "kind"), [("lost", CorruptData), ("newer", NewerFormat)])
def test_a_space_that_cannot_be_opened_is_told_alike(
    store: OneStore, space: str, kind: type[EngramError], name: str
) -> None:
    told_kind, _ = agreed(store, space, (READS | WRITES)[name])
    assert told_kind is kind


@pytest.mark.parametrize("name", READS | WRITES)
def test_a_space_that_does_not_exist_is_told_alike(store: OneStore, name: str) -> None:
    # The messages name the server.
    found = outcomes(store, "nowhere", (READS | WRITES)[name])
    told_by = {home: (kind, error["code"], error["field"], error["value"]) for home, (kind, error) in found.items()}
    assert told_by == dict.fromkeys(found, (NotFound, "unknown_space", "space", "nowhere"))


@pytest.mark.parametrize("name", EXPIRED)
def test_what_is_not_retained_any_more_is_refused_alike(store: OneStore, name: str) -> None:
    kind, error = agreed(store, "sound", EXPIRED[name])
    assert (kind, error["code"], error["limit"]) == (FailedPrecondition, "snapshot_expired", str(8 - RETAINED))


def test_bad_arguments_are_refused_to_the_letter_alike(store: OneStore) -> None:
    told_by: dict[str, list[Any]] = {}
    for name, opened in store.faces("small").items():
        told_by[name] = []
        with opened() as face:
            for call, *_ in REFUSED:
                with pytest.raises(EngramError) as refusal:
                    call(face)
                told_by[name].append(vars(refusal.value))
    for name, errors in told_by.items():
        assert errors == told_by["embedded"], name
