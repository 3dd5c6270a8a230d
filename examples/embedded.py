"""Engram inside a program: what the parts of a store do, on a dictionary of 4 000 words.

Usage: python examples/embedded.py [FOLDER]    (without a folder nothing outlives the program)
"""

from __future__ import annotations

import sys

import engram
from engram.data import sample


def main(folder: str | None) -> None:
    data = sample()
    with engram.MemoryStore(folder) as store:
        words = store.space("words", dim=384)

        # Observations are columns. When this returns, they are on disk and can be recalled.
        metadata = [{"letters": len(content.partition(":")[0])} for content in data.contents]
        generation = words.observe(ids=data.ids, vectors=data.vectors, contents=data.contents, metadata=metadata)
        print(f"generation {generation}: {words.stats().live_count} words in memory")

        for word in ("thunder", "jealousy", "computer"):
            cue = data.queries.vectors[data.queries.ids.index(word)]
            print(f"\n{word} reminds of")
            for hit in words.recall(cue, k=3):
                print(f"  {hit.score:.2f}  {hit.content[:70]}  {hit.metadata}")

        # A snapshot stands still, whatever is written meanwhile.
        snapshot = words.snapshot()
        words.delete([hit.id for hit in words.recall(cue, k=10)])
        print(f"\nafter forgetting ten: {words.recall(cue, k=1)[0].id}; before: {snapshot.recall(cue, k=1)[0].id}")

        # With an embedder, texts are enough.
        diary = store.space("diary", dim=512, embedder="lexical")
        diary.observe(
            ids=["mon", "tue", "wed"],
            contents=["Planted three tomato seedlings", "The printer jammed again", "Dinner with Ada at the harbour"],
            tags=[["garden"], ["office"], ["friends"]],
        )
        hit = diary.recall("the jamming printer", k=1)[0]
        print(f"\ndiary: {hit.content} {hit.tags}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
