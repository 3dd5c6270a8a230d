"""Whether a space may come to rest, and that one which may not is used on as if nobody had asked."""

from __future__ import annotations

import numpy as np

from engram.store import Cue, MemoryStore

DIM = 8
VECTOR = np.ones(DIM, dtype=np.float32)


def test_a_space_that_does_not_come_to_rest_after_all_is_followed_and_written_to() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        engine = space._engine
        # As while a checkpoint is written. All else lets the space rest.
        with engine.indexing._working:
            assert not engine.retire()
        with space.recall_stream(Cue(VECTOR, score_min=0.5), follow=True) as stream:
            space.observe("near", VECTOR)
            assert [hit.id for hit in next(stream)] == ["near"]
