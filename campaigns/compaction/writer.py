"""The process that is killed: sessions that write the same ids again and again, and a store that compacts all the time.

``python -m campaigns.compaction.writer DIRECTORY`` prints a line ``SESSION SEQUENCE`` for each acknowledged sequence
number, and never ends by itself.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future

import numpy as np

from engram.errors import EngramError
from engram.model.observations import make_batch
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, StoreOptions
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.space_engine import SpaceEngine

DIM = 16
SESSIONS = ("left", "right")
IDS = 40
# So many sequence numbers are sent once more after a start: they are duplicates.
REPEATED = 30
_ROWS = 7
OPTIONS = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=0.01, log_compaction_bytes_per_s=1 << 30)


def id_of(session: str, sequence: int) -> str:
    """Return the id that a sequence number of a session observes."""
    return f"{session}-{sequence % IDS}"


def content_of(session: str, sequence: int) -> str:
    """Return the text that it observes."""
    return f"{session} {sequence} " + "and so on " * (sequence % 13)


def main() -> None:
    """Write until the process is killed."""
    store = MemoryStore(sys.argv[1], options=OPTIONS)
    space = store.space("notes", dim=DIM)
    space.set_retention(RetentionPolicy(None, 100))
    engine = space._engine
    nexts = {session: max(engine.durable_sequence(session) + 1 - REPEATED, 1) for session in SESSIONS}
    while True:
        for session in SESSIONS:
            first = nexts[session]
            last = first + _ROWS - 1
            known = engine.durable_sequence(session)
            result = _observe(engine, session, first)
            if result.duplicate != (last <= known):
                print(f"wrong {session} {first}: {result} where {known} was durable", flush=True)
            nexts[session] = last + 1
            print(f"{session} {last}", flush=True)


def _observe(engine: SpaceEngine, session: str, first: int) -> CommitResult:
    sequences = range(first, first + _ROWS)
    batch = make_batch(
        ids=[id_of(session, one) for one in sequences],
        vectors=np.random.default_rng(first).standard_normal((_ROWS, DIM)).astype(np.float32),
        contents=[content_of(session, one) for one in sequences],
    )
    answer: Future[CommitResult] = Future()

    def done(outcome: CommitResult | EngramError) -> None:
        if isinstance(outcome, EngramError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    request = CommitRequest(
        space=engine, batch=engine.prepare(batch), session=session, first_sequence=first, writer=1, done=done
    )
    engine._submit(request)
    return answer.result()


if __name__ == "__main__":
    main()
