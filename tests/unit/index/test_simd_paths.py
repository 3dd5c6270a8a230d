"""Every instruction-set path that this machine can run gives the same codes, hence the same neighbours, and bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATHS = ["portable", "avx2", "avx512", "neon"]
SCRIPT = """
import sys
import numpy as np
from engram import _core
from engram.index import HnswIndex
if _core.simd() != sys.argv[1]:
    sys.exit(77)
rng = np.random.default_rng(5)
found = []
SIZES = ((1, "l2"), (2, "ip"), (3, "cosine"), (7, "l2"), (24, "l2"), (100, "ip"), (200, "cosine"), (768, "cosine"))
for dim, metric in SIZES:
    base = rng.standard_normal((9_000, dim)).astype(np.float32)
    index = HnswIndex(dim, metric, "fast")
    index.add(base, threads=1)
    index.save(sys.argv[2], with_vectors=False)
    found.append(np.fromfile(sys.argv[2], dtype=np.uint8))
    found.append(index.search(rng.standard_normal((20, dim)).astype(np.float32), k=5)[0].view(np.uint8).ravel())
generations = np.arange(1, 5_001)
for count in (0, 1, 7, 63, 64, 65, 200, 5_000):
    values = rng.integers(0, 100, count).astype(np.float64)
    passed = _core.bits_within(values, 20.0, 70.0)
    found.append(passed.view(np.uint8))
    assert _core.count_bits(passed) == np.count_nonzero((values >= 20) & (values <= 70))
    small = values.astype(np.int8) - 30
    found.append(_core.bits_within(small, -20.5, 40.0).view(np.uint8))
    expected = np.flatnonzero((small > -21) & (small <= 40))
    assert np.array_equal(_core.listed_bits(found[-1].view(np.uint64), 0), expected)
    for texts in (20, 256, 600, 3_000):
        numbers, wanted = rng.integers(0, texts, count).astype(np.int32), rng.integers(0, 2**32, 15, dtype=np.uint32)
        for table in (wanted[:5], wanted, np.tile(wanted, 5)):
            found.append(_core.bits_wanted(numbers, table).view(np.uint8))
            sought = np.flatnonzero(np.unpackbits(table.view(np.uint8), bitorder="little"))
            expected = np.flatnonzero(np.isin(numbers, sought))
            assert np.array_equal(_core.listed_bits(found[-1].view(np.uint64), 0), expected)
            if texts <= 256:
                assert np.array_equal(_core.bits_wanted(numbers.astype(np.uint8), table).view(np.uint8), found[-1])
    for low in (0.0, 37.0, -60.0):
        others = np.concatenate([values, [low + 0.5, -low, 1e-17, 1e300, -1e300, np.inf, -np.inf, 2.0**31 + low]])
        for wanted in (rng.integers(0, 2**32, 4, dtype=np.uint32), rng.integers(0, 2**32, 40, dtype=np.uint32)):
            numbers = low + np.flatnonzero(np.unpackbits(wanted.view(np.uint8), bitorder="little"))
            found.append(_core.bits_wanted_of(others, low, wanted).view(np.uint8))
            expected = np.flatnonzero(np.isin(others, numbers))
            assert np.array_equal(_core.listed_bits(found[-1].view(np.uint64), 0), expected)
            places = _core.listed_bits(_core.bits_wanted_of(small, low, wanted), 0)
            assert np.array_equal(places, np.flatnonzero(np.isin(small, numbers)))
    for share in (0.02, 0.3, 0.9, 1):
        words = np.zeros(79, dtype=np.uint64)
        marked = generations[rng.random(5_000) < share][: len(values)]
        _core.mark(words, 0, marked)
        assert np.array_equal(_core.listed_bits(words, 0), marked)
        words[:] = 0
        _core.mark_passed(words, 0, marked, passed)
        places = _core.listed_bits(passed, 0)
        assert np.array_equal(_core.listed_bits(words, 0), marked[places[places < len(marked)]])
    present = np.zeros(79, dtype=np.uint64)
    _core.mark(present, 0, generations[rng.random(5_000) < 0.7])
    places = _core.listed_bits(passed, 0)
    listed = _core.listed_bits(present, 0)
    spread = _core.listed_bits(_core.spread_bits(passed, present), 0)
    assert np.array_equal(spread, listed[places[places < len(listed)]])
    assert np.array_equal(_core.ranks_in(present, 0, listed), np.arange(len(listed)))
np.save(sys.argv[2] + ".npy", np.concatenate(found))
"""


def run(path: str, target: Path) -> bytes | None:
    environment = {**os.environ, "ENGRAM_SIMD": path}
    command = [sys.executable, "-c", SCRIPT, path, str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 77:
        return None
    assert done.returncode == 0, done.stderr
    return target.with_name(target.name + ".npy").read_bytes()


def test_all_paths_agree(tmp_path: Path) -> None:
    results = {path: run(path, tmp_path / path) for path in PATHS}
    able = {path: result for path, result in results.items() if result is not None}
    assert "portable" in able
    if len(able) == 1:
        pytest.skip("this machine has the portable path only")
    assert set(able.values()) == {able["portable"]}, f"{sorted(able)} differ"
