"""A checkpoint that comes to hold anything while it is mapped leads no walk out of memory and round in no circle. Each
case runs in a process of its own, which it may end if it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BUILD = """
import os, sys, threading
import numpy as np
from engram import _core
from engram.errors import CorruptData
from engram.index import CueTable, HnswIndex
path, kind, metric, dim, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
rng = np.random.default_rng(seed)
base = rng.standard_normal((5_000, dim)).astype(np.float32)
base[:300] = base[0]
fresh = rng.standard_normal((600, dim)).astype(np.float32)
fresh[:200] = base[0]
made = HnswIndex(dim, metric, "fast")
made.add(base, threads=1)
made.delete(np.arange(1, 4000, 50), np.arange(5001, 5081))
made.publish(5080)
made.save(path, with_vectors=False)
index = HnswIndex.load(path, [(1, base, _core.crc32c_rows(base))])
size = os.path.getsize(path)

def damage():
    with open(path, "r+b") as file:
        for start in range(4096, size, 1 << 16):
            file.seek(start)
            piece = np.frombuffer(file.read(1 << 16), dtype=np.uint32).copy()
            if kind == "anything":
                piece[:] = rng.integers(0, 2**32, len(piece), dtype=np.uint32)
            elif kind == "possible slots":
                piece[:] = rng.integers(0, 6000, len(piece), dtype=np.uint32) | rng.choice([0, 1 << 31], len(piece))
            elif kind == "ones":
                piece[:] = 0xFFFFFFFF
            elif kind == "full lists":
                piece[:] = 63 | (1 << 31)
            elif kind == "flips":
                piece[rng.integers(0, len(piece), 200)] ^= np.uint32(1) << rng.integers(0, 32, 200, dtype=np.uint32)
            file.seek(start)
            file.write(piece.tobytes())
    if kind == "cut":
        os.truncate(path, size // 2)
    if kind == "emptied":
        os.truncate(path, 0)

failures, refused = [], []
def trying(work):
    def run():
        for step in range(12):
            try:
                work(step)
            except CorruptData as error:
                refused.append(error)
            except Exception as error:
                failures.append(error)
    return threading.Thread(target=run)

def append(step):
    first = 5081 + step * 50
    index.append(fresh[step * 50 : step * 50 + 50], first, raw=fresh[step * 50 : step * 50 + 50])
    index.publish(first + 49)
    index.delete(np.array([step * 7 + 2]), np.array([first + 49]))

def search(step):
    index.search(base[step * 100 : step * 100 + 30], k=10, damaged=[])

def walk(step):
    walk = index.walk(base[step], allowed=np.full(100, 0x5555555555555555, dtype=np.uint64))
    for _ in range(20):
        walk.next(40, damaged=[])

def match(step):
    cues = CueTable(dim, metric)
    cues.add(1, base[step], 0.2)
    index.match(cues, 1, 5000, damaged=[])

def link(step):
    while index.link(64):
        pass

def save(step):
    index.save(f"{path}-{step % 2}", with_vectors=False)

def look(step):
    index.statistics()

works = [append, search, walk, match, link, look, save]
threads = [trying(work) for work in works]
for thread in threads[:3]:
    thread.start()
damage()
for thread in threads[3:]:
    thread.start()
for thread in threads:
    thread.join()
link(0)
lost = kind in ("cut", "emptied")
if not lost:
    index.save(path + "-new", with_vectors=False)
    again = HnswIndex.load(path + "-new", [(1, base), (5081, fresh)])
    assert (len(again), again.dead_count) == (len(index), index.dead_count)
try:
    index.compact()
    compacted = True
except CorruptData:
    compacted = False
assert not failures, failures
assert (index.lost_pages > 0) == lost or compacted, index.lost_pages
assert bool(refused) == lost, refused
assert compacted != lost
print("alive")
"""


@pytest.mark.parametrize("kind", ["anything", "possible slots", "ones", "full lists", "flips", "cut", "emptied"])
@pytest.mark.parametrize(("metric", "dim"), [("cosine", 320), ("l2", 40)])
def test_walks_go_on_in_damaged_lists(tmp_path: Path, kind: str, metric: str, dim: int) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", BUILD, str(tmp_path / "graph"), kind, metric, str(dim), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
