"""A store process killed at any moment: everything it acknowledged is there, and the directory opens at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engram.store import MemoryStore

# Observes batches and prints which observations are acknowledged; some threads at once, so commits are shared.
WRITER = """
import sys, threading
import numpy as np
from engram import MemoryStore
from engram.store import StoreOptions

dim = int(sys.argv[2])
store = MemoryStore(sys.argv[1], options=StoreOptions(checkpoint_count_min=500))
space = store.space("notes", dim=dim)
start = space.generation
lock = threading.Lock()

def work(thread):
    vectors = np.random.default_rng(thread).standard_normal((16, dim))
    for turn in range(10_000_000):
        ids = [f"{start}-{thread}-{turn}-{row}" for row in range(16)]
        space.observe(ids, vectors, ids)
        with lock:
            print(" ".join(ids), flush=True)

for thread in range(3):
    threading.Thread(target=work, args=(thread,)).start()
"""


# Commits of 2 048 dimensions are large enough to be written past the page cache.
@pytest.mark.parametrize(("dim", "lines"), [(32, 1), (32, 37), (32, 150), (2048, 1), (2048, 20), (2048, 60)])
def test_acknowledged_observations_survive_kill(tmp_path: Path, dim: int, lines: int) -> None:
    acknowledged: list[str] = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(dim)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                acknowledged += writer.stdout.readline().split()
            writer.kill()
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", create=False)
        assert len(acknowledged) == 2 * 16 * lines
        for id in acknowledged:
            hit = space.get(id)
            assert hit is not None, id
            assert hit.content == id
        assert space.stats().live_count == space.generation
        newest = space.get(acknowledged[-1])
        assert newest is not None
        assert newest.vector is not None
        assert space.recall(np.array(newest.vector), k=1)[0].score == pytest.approx(1.0, abs=1e-5)
