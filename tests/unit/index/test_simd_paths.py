"""Every instruction-set path that this machine can run gives the same codes, hence the same neighbours."""

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
