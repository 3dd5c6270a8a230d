"""A server whose logs are compacted all the time: ``python -m tests.integration.compacting_server --data DIR ...``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from engram.model.values.retention_policy import RetentionPolicy
from engram.server import ServerOptions, serve
from engram.store import StoreOptions, space_catalog
from engram.store.scans import leases

LEASE_S: Final = 2.0
"""Seconds that a generation is held after a page of it was read. With the usual minute, nothing would be compacted in a
short run."""

# Small segments are closed soon, and looked at as often.
_OPTIONS: Final = StoreOptions(segment_bytes=16 << 10, mark_interval_s=0.05, compaction_count_min=500)


def main() -> None:
    """Serve until a signal stops the process."""
    parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--no-http", dest="http", action="store_false")
    parser.add_argument("--http-port", type=int)
    parser.add_argument("--history-s", type=float, default=None, help="seconds of history that a new space retains")
    parser.add_argument("--dead-count", type=int, default=None, help="dead versions that a new space retains")
    given = vars(parser.parse_args())
    policy = RetentionPolicy(given.pop("history_s"), given.pop("dead_count"))
    # No call of a server says how much a new space retains.
    setattr(space_catalog, "RetentionPolicy", lambda: policy)  # noqa: B010 - a type checker objects to the other way.
    setattr(leases, "LEASE_S", LEASE_S)  # noqa: B010
    serve(ServerOptions(ready=_say_ready, http_required="http_port" in given, store=_OPTIONS, **given))


def _say_ready(address: str) -> None:
    print(f"engram is ready at {address}", flush=True)


if __name__ == "__main__":
    main()
