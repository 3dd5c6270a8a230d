"""A server whose logs are compacted all the time, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engram import RetentionPolicy
from engram.log.segments.segment import LOG_DIRECTORY, segment_of
from tests.integration.socket_client import SocketServer


@contextmanager
def compacting_server(data: Path, retention: RetentionPolicy) -> Iterator[SocketServer]:
    """Run a server whose spaces retain so much until the end of the context, and check that it has no complaint."""
    limits = {"--history-s": retention.history_s, "--dead-count": retention.dead_count}
    given = [text for name, limit in limits.items() if limit is not None for text in (name, str(limit))]
    server = SocketServer(data, *given, program=("tests.integration.compacting_server",))
    try:
        yield server
    except BaseException:
        server.process.kill()
        server.wait()
        raise
    server.stop_soundly()


def is_compacted(data: Path) -> bool:
    """Whether a space in a data directory has a segment that took the place of others."""
    return any(map(_is_compacted, (data / "spaces").iterdir()))


def _is_compacted(space: Path) -> bool:
    try:
        segments = [segment_of(path.name) for path in (space / LOG_DIRECTORY).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        # It may be dropped or renamed at this moment.
        return False
    return any(segment is not None and segment[1] > 0 for segment in segments)
