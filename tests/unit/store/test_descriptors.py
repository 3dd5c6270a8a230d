"""A log of many segments needs no more open files than a small one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engram.errors import Unavailable
from engram.maintenance.backups.backup import backup
from engram.maintenance.repairs.repair import repair
from engram.maintenance.verify import verify
from engram.store import MemoryStore, StoreOptions

DIM = 256
SEGMENTS_MIN = 60
OPTIONS = StoreOptions(segment_bytes=1 << 20)
SPARE = 25

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")


@contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    """Let this process open so many files more than it has open now."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
    # The limit is one of numbers, not of how many are in use, so the gaps are filled.
    fillers = [os.open(os.devnull, os.O_RDONLY)]
    while fillers[-1] < taken:
        fillers.append(os.open(os.devnull, os.O_RDONLY))
    os.close(fillers.pop())
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with many segments, as a killed process leaves it."""
    path = tmp_path / "data"
    vectors = np.random.default_rng(1).standard_normal((900, DIM)).astype(np.float32)
    with MemoryStore(path, options=OPTIONS) as store:
        space = store.space("notes", dim=DIM)
        while len(list((path / "spaces/notes/log").iterdir())) < SEGMENTS_MIN:
            space.observe([f"id-{row}" for row in range(len(vectors))], vectors)
    return path


def test_a_store_of_many_segments_opens_and_is_looked_after_with_few_descriptors(data: Path, tmp_path: Path) -> None:
    with few_descriptors(SPARE):
        for is_read_only in (False, True):
            with MemoryStore(data, options=OPTIONS, read_only=is_read_only) as store:
                assert store.unsound == {}
                assert store.space("notes", create=False).stats().live_count == 900
        assert verify(data).is_sound
        assert backup(data, tmp_path / "backup").is_complete
        assert repair(data, tmp_path / "repaired").is_complete


def test_too_many_open_files_are_told_as_such(data: Path) -> None:
    with few_descriptors(0), pytest.raises(Unavailable) as caught:
        verify(data)
    assert caught.value.code == "too_many_files"
    assert "ulimit -n" in caught.value.message
    with few_descriptors(3), pytest.raises(Unavailable) as caught:
        MemoryStore(data)
    assert caught.value.code == "too_many_files"
    with MemoryStore(data, read_only=True) as again:
        assert again.unsound == {}
