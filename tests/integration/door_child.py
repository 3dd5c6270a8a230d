"""A careless program in a process of its own: passes wrong values to a store, and says what became of each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engram.errors import EngramError
from engram.store import Between, Filter, MemoryStore, Space

DIM = 8
ROWS = np.eye(3, DIM, dtype=np.float32)
Case = Callable[[MemoryStore, Space], object]


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        made = {"a": made}
    return made


def observed(**columns: Any) -> Case:
    def case(store: MemoryStore, space: Space) -> object:
        return space.observe(**{"ids": ["x", "y", "z"], "vectors": ROWS, **columns})

    return case


def made(**settings: Any) -> Case:
    return lambda store, space: store.space(**{"name": "odd", "dim": DIM, **settings})


def recalled(cue: Any, **options: Any) -> Case:
    return lambda store, space: space.recall(cue, **options)


def filtered(**conditions: Any) -> Case:
    return lambda store, space: Filter(**conditions)


CASES: dict[str, dict[str, Case]] = {
    "settings": {
        "float": made(dim=8.0),
        "truth": made(dim=True),
        "text": made(dim="8"),
        "no metric": made(metric=7),
        "bytes": made(embedder=b"lexical"),
        "list": made(name=["odd"]),
    },
    "metadata": {
        "deep": observed(metadata=[nested(964), None, None]),
        "deep text": observed(metadata=['{"a":' * 964 + "1" + "}" * 964, None, None]),
        "nan": observed(metadata=[{"a": float("nan")}, None, None]),
        "surrogate": observed(metadata=['{"a":"\\ud800"}', None, None]),
        "twice": observed(metadata=['{"a":1,"a":2}', None, None]),
        "huge": observed(metadata=['{"a":' + "9" * 5000 + "}", None, None]),
        "infinite": observed(metadata=['{"a":1e999}', None, None]),
    },
    "columns": {
        "importances": observed(importances=np.ones((3, 4))),
        "timestamps": observed(timestamps=np.ones((3, 1))),
        "confidences": observed(confidences=np.ones((3, 1))),
        "short": observed(confidences=np.ones(2)),
    },
    "texts": {
        "delete": lambda store, space: space.delete("abc"),
        "tags": observed(tags=["urgent"] * 3),
        "tag column": observed(tags="xyz"),
        "ids": observed(ids="xyz"),
        "contents": observed(contents="xyz"),
        "filter": filtered(tags="urgent"),
        "filter without": filtered(without_tags=b"urgent"),
    },
    "times": {
        "nanoseconds": observed(timestamps=[time.time_ns()] * 3),
        "not a time": observed(timestamps=np.array(["NaT"] * 3, "M8[s]")),
        "largest": observed(timestamps=[2**63 - 1] * 3),
        "nan": observed(timestamps=[float("nan")] * 3),
        "since": filtered(since=time.time_ns()),
        "snapshot": recalled(ROWS[0], snapshot_time=float("inf")),
    },
    "cues": {
        "none": recalled(None),
        "empty": recalled([]),
        "masked": recalled(np.ma.array(ROWS[0], mask=ROWS[0] > 0)),
        "complex": recalled(ROWS[0] + 1j),
        "dates": recalled(np.zeros(DIM, "M8[s]")),
        "path": lambda store, space: MemoryStore(""),
        "between": lambda store, space: Between("a", "b"),  # type: ignore[arg-type]
        "k": recalled(ROWS[0], k=2.0),
        "ef": recalled(ROWS[0], ef=True),
        "generation": recalled(ROWS[0], max_generation=99),
    },
}


def fate(case: Case, store: MemoryStore, space: Space) -> str:
    """``code: message`` of the typed error, or what else it was."""
    try:
        return f"taken: {case(store, space)!r}"
    except EngramError as error:
        return f"{error.code}: {error.message}"
    except Exception as error:
        return f"untyped: {error!r}"


def main(data: str, item: str) -> None:
    """Try the cases of one item, then see what a store that is opened again holds."""
    with MemoryStore(data) as store:
        space = store.space("notes", dim=DIM)
        space.observe(["a", "b", "c"], ROWS, ["text a", "text b", "text c"], tags=[["t"], [], []])
        fates = {name: fate(case, store, space) for name, case in CASES[item].items()}
        space.observe(["d"], np.ones((1, DIM), np.float32), ["text d"])
    with MemoryStore(data) as store:
        hits = store.space("notes").recall(np.ones(DIM), k=100)
        names = [space.config.name for space in store.spaces()]
    print(
        json.dumps({"fates": fates, "there": sorted([hit.id, hit.content, hit.tags] for hit in hits), "spaces": names})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
