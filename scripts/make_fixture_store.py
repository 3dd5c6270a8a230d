"""Write the fixture store of today's directory format: `tests/fixtures/format<N>.tar.gz`.

A fixture is written once, by the version whose format it is, and never again: later versions must read it. So this
script refuses to replace one.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from engram import MemoryStore
from engram.errors import EngramError
from engram.log.files.checked_json import FORMAT
from engram.model.observations import make_batch
from engram.store import Space, StoreOptions
from engram.store.commit.queue import CommitRequest, CommitResult

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
SEGMENT_BYTES = 1 << 16


def main() -> int:
    """Write the fixture; return the exit code."""
    target = FIXTURES / f"format{FORMAT}.tar.gz"
    if target.exists():
        print(f"{target} is there already, and must stay what it is", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        (Path(folder) / "LOCK").unlink()
        with tarfile.open(target, "w:gz") as archive:
            archive.add(folder, arcname=".")
    return 0


def fill(path: Path) -> None:
    """What is in every fixture: a space of texts, one of vectors, and an empty one."""
    with MemoryStore(path, options=StoreOptions(segment_bytes=SEGMENT_BYTES, workers=1)) as store:
        _fill_notes(store, store.space("notes", dim=16, embedder="lexical"))
        vectors = np.random.default_rng(11).standard_normal((300, 24)).astype(np.float32)
        store.space("vectors", dim=24, metric="l2").observe(
            ids=[f"v{row}" for row in range(300)], vectors=vectors, timestamps=np.full(300, 1_700_000_000.0)
        )
        store.space("empty", dim=8)


def _fill_notes(store: MemoryStore, notes: Space) -> None:
    rows = range(20)
    for number in range(12):
        notes.observe(
            ids=[f"note-{number}-{row}" for row in rows],
            contents=[f"note {number} of row {row}: the pump on deck {row} hums" for row in rows],
            timestamps=[1_700_000_000 + 60 * number + row for row in rows],
            confidences=[0.5 + row / 50 for row in rows],
            importances=[row / 20 for row in rows],
            metadata=[{"deck": row, "n": number} for row in rows],
            tags=[["pump", f"deck-{row}"] for row in rows],
        )
    notes.delete(["note-0-0", "note-3-7"])
    notes.observe(
        ids=["note-1-1"],
        contents=["superseded: the pump was mended"],
        timestamps=[1_700_009_999],
        confidences=[1.0],
    )
    for first in (1, 4):
        _observe_in_session(store, notes, first)


def _observe_in_session(store: MemoryStore, notes: Space, first: int) -> None:
    numbers = range(first, first + 3)
    batch = make_batch(
        [f"s-{number}" for number in numbers],
        np.empty((len(numbers), 0), np.float32),
        [f"session row {number}" for number in numbers],
        timestamps=[1_700_010_000 + number for number in numbers],
    )
    done: Future[CommitResult | EngramError] = Future()
    store._engine.submit(
        CommitRequest(
            space=notes._engine,
            batch=notes._engine.prepare(batch),
            session="reader-1",
            first_sequence=first,
            done=done.set_result,
        )
    )
    outcome = done.result()
    if isinstance(outcome, EngramError):
        raise outcome


if __name__ == "__main__":
    sys.exit(main())
