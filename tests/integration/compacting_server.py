"""A server whose logs are compacted all the time: ``python -m tests.integration.compacting_server --data DIR ...``."""

from __future__ import annotations

import argparse
from pathlib import Path

from engram.model.values.retention_policy import RetentionPolicy
from engram.server import ServerOptions, serve
from engram.store import MemoryStore, StoreOptions
from tests.integration.server_process import DIM

# Small segments are closed soon, and looked at as often.
OPTIONS = StoreOptions(segment_bytes=16 << 10, mark_interval_s=0.05, compaction_count_min=500)


def make_space(data: Path, name: str, dead_count: int) -> None:
    """Make a space that retains so many dead versions more than it has live ones."""
    with MemoryStore(data, options=OPTIONS) as store:
        store.space(name, dim=DIM).set_retention(RetentionPolicy(None, dead_count))


def main() -> None:
    """Serve until a signal stops the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-http", dest="http", action="store_false")
    arguments = parser.parse_args()

    def ready(address: str) -> None:
        print(f"engram is ready at {address}", flush=True)

    serve(ServerOptions(arguments.data, port=arguments.port, http=arguments.http, ready=ready, store=OPTIONS))


if __name__ == "__main__":
    main()
