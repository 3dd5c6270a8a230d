"""``python -m campaigns.crowds``: crowds of spaces and of clients; exit code 1 if what must hold does not."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.support.machine import describe
from campaigns.crowds import burst, spaces

_PEAK_MAX_BYTES: Final = 600 * 10**6
_KEPT_MAX_BYTES: Final = 50 * 10**6


def main() -> int:
    """Run a campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.crowds", description=__doc__)
    crowds = parser.add_subparsers(dest="crowd", required=True)
    many = crowds.add_parser("spaces", help="many spaces in one store, each written and recalled")
    many.add_argument("--seed", type=int, default=15, help="of all vectors, and of the order of recalls")
    many.add_argument("--count", type=int, default=10_000, help="how many spaces")
    many.add_argument("--files", type=int, default=1024, help="how many descriptors the process may have")
    all_at_once = crowds.add_parser("burst", help="many clients that send large batches at the same time")
    all_at_once.add_argument("--clients", type=int, default=24, help="how many clients")
    all_at_once.add_argument("--budget", type=int, default=300 * 10**6, help="memory_bytes_max of the server")
    all_at_once.add_argument("--transport", choices=("grpc", "websocket"), default="websocket", help="how they send")
    for each in (many, all_at_once):
        each.add_argument("--work", type=Path, default=None, help="where the stores lie, /tmp by default")
        each.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-crowds-", dir=options.work) as work:
        if options.crowd == "spaces":
            found = spaces.run(options.seed, options.count, options.files, Path(work))
            faults = spaces.broken(found, options.count, options.files)
            given = f"spaces --seed {options.seed} --count {options.count} --files {options.files}"
        else:
            found = burst.run(options.clients, options.budget, options.transport, Path(work))
            faults = burst.broken(found, _PEAK_MAX_BYTES, _KEPT_MAX_BYTES)
            given = f"burst --clients {options.clients} --budget {options.budget} --transport {options.transport}"
    head: dict[str, Any] = {"campaign": "crowds", "command": f"python -m campaigns.crowds {given}"}
    text = json.dumps({**head, "machine": describe(), **found, "broken": faults}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
