"""Spaces that are dropped, renamed and called otherwise, and every use of a space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engram.errors import EngramError
from engram.store import Cue, MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, content_of, vector_of
from tests.doubles.waiting import TIMEOUT_S

QUIET = StoreOptions(workers=1, mark_interval_s=3600.0, scrub_bytes_per_s=0, log_compaction_bytes_per_s=0)
RESTING = StoreOptions(open_spaces_max=2, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(20)]


def filled(store: MemoryStore, name: str = "notes") -> Space:
    space = store.space(name, dim=DIM)
    space.observe(IDS, np.stack([vector_of(id) for id in IDS]), [content_of(id) for id in IDS])
    return space


def check_filled(space: Space) -> None:
    assert len(space) == len(IDS)
    hit = space.get(IDS[3])
    assert hit is not None
    assert hit.content == content_of(IDS[3])
    assert {hit.id for hit in space.recall(vector_of(IDS[0]), k=5)} <= set(IDS)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(EngramError) as refusal:
        call()
    return refusal.value.code


USES: dict[str, Callable[[Space], object]] = {
    "observe": lambda space: space.observe("more", vector_of("more")),
    "observe_if": lambda space: space.observe("more", vector_of("more"), if_absent=True),
    "submit": lambda space: space.submit("more", vector_of("more")).result(TIMEOUT_S),
    "update": lambda space: space.update([IDS[0]], confidences=[0.5]),
    "delete": lambda space: space.delete([IDS[0]]),
    "erase": lambda space: space.erase([IDS[0]]),
    "clear": lambda space: space.clear(),
    "get": lambda space: space.get(IDS[0]),
    "recall": lambda space: space.recall(vector_of(IDS[0])),
    "recall_many": lambda space: space.recall_many([vector_of(IDS[0])]),
    "recall_stream": lambda space: space.recall_stream(vector_of(IDS[0])),
    "follow": lambda space: space.follow(Cue(vector_of(IDS[0]), score_min=0.5)),
    "changes": lambda space: space.changes(after_generation=0),
    "scan": lambda space: list(space.scan()),
    "count": lambda space: space.count(),
    "facets": lambda space: space.facets(fields="tags"),
    "snapshot": lambda space: space.snapshot(),
    "stats": lambda space: space.stats(),
    "len": len,
    "in": lambda space: IDS[0] in space,
}
