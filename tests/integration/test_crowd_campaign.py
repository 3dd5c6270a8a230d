"""The campaigns of crowds, in a short form; ``python -m campaigns.crowds`` has larger ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from campaigns.crowds import connections, streams
from campaigns.crowds.spaces import broken, run

COUNT = 150
FILES = 128

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read in /proc")


def test_more_spaces_than_descriptors_are_written_and_recalled(tmp_path: Path) -> None:
    parts = run(seed=15, count=COUNT, files_max=FILES, work=tmp_path)
    assert broken(parts, COUNT, FILES) == []


@pytest.mark.parametrize(("count", "files"), [(150, 1024), (500, 512)], ids=["taken", "refused"])
def test_idle_connections_keep_nobody_from_writing(tmp_path: Path, count: int, files: int) -> None:
    result = connections.run(seed=15, count=count, files=files, work=tmp_path)
    assert connections.broken(result) == []
    assert (result["ended"] > 0) == (count > result["limit"])


def test_many_streams_of_one_client_fail_no_call_of_another(tmp_path: Path) -> None:
    result = streams.run(seed=15, count=600, connections=2, seconds=3.0, work=tmp_path)
    assert streams.broken(result) == []
    assert all(other["calls"] > 4 for other in result["others"].values())
