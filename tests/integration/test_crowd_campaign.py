"""The campaign of many spaces, in a short form: more of them than descriptors would allow if all were open."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from campaigns.crowds.spaces import broken, run

COUNT = 150
FILES = 128

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read in /proc")


def test_more_spaces_than_descriptors_are_written_and_recalled(tmp_path: Path) -> None:
    parts = run(seed=15, count=COUNT, files_max=FILES, work=tmp_path)
    assert broken(parts, COUNT, FILES) == []
