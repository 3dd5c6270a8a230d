"""``python -m campaigns.crowds``: crowds of spaces and of clients; exit code 1 if what must hold does not."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.support.machine import describe
from campaigns.crowds import burst, connections, spaces, streams

_PEAK_MAX_BYTES: Final = 600 * 10**6
_KEPT_MAX_BYTES: Final = 50 * 10**6
# What is no part of what a result is of.
_ASIDE: Final = ("crowd", "work", "out")

Found = tuple[dict[str, Any], list[str]]


def main() -> int:
    """Run a campaign and print what came of it."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-crowds-", dir=options.work) as work:
        found, faults = _RUNS[options.crowd](options, Path(work))
    given = " ".join(f"--{key} {value}" for key, value in vars(options).items() if key not in _ASIDE)
    head = {"campaign": "crowds", "command": f"python -m campaigns.crowds {options.crowd} {given}"}
    text = json.dumps({**head, "machine": describe(), **found, "broken": faults}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m campaigns.crowds", description=__doc__)
    crowds = parser.add_subparsers(dest="crowd", required=True)
    many = crowds.add_parser("spaces", help="many spaces in one store, each written and recalled")
    idle = crowds.add_parser("connections", help="many connections that do nothing, beside a client that writes")
    greedy = crowds.add_parser("streams", help="many recall streams of one client, beside other clients")
    all_at_once = crowds.add_parser("burst", help="many clients that send large batches at the same time")
    for each, seeded in (
        (many, "all vectors, and the order of recalls"),
        (idle, "all vectors"),
        (greedy, "all vectors"),
        (all_at_once, "all vectors"),
    ):
        each.add_argument("--seed", type=int, default=15, help=f"of {seeded}")
    many.add_argument("--count", type=int, default=10_000, help="how many spaces")
    many.add_argument("--files", type=int, default=1024, help="how many descriptors the process may have")
    idle.add_argument("--count", type=int, default=5000, help="how many connections")
    idle.add_argument("--files", type=int, default=8192, help="how many descriptors the server may have")
    greedy.add_argument("--count", type=int, default=10_000, help="how many streams")
    greedy.add_argument("--connections", type=int, default=10, help="over how many connections")
    greedy.add_argument("--seconds", type=float, default=30.0, help="for how long")
    all_at_once.add_argument("--clients", type=int, default=24, help="how many clients")
    all_at_once.add_argument("--budget", type=int, default=300 * 10**6, help="memory_bytes_max of the server")
    all_at_once.add_argument("--transport", choices=("grpc", "websocket"), default="websocket", help="how they send")
    for each in (many, idle, greedy, all_at_once):
        each.add_argument("--work", type=Path, default=None, help="where the stores lie, /tmp by default")
        each.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    return parser


def _run_spaces(options: argparse.Namespace, work: Path) -> Found:
    found = spaces.run(options.seed, options.count, options.files, work)
    return found, spaces.broken(found, options.count, options.files)


def _run_connections(options: argparse.Namespace, work: Path) -> Found:
    found = connections.run(options.seed, options.count, options.files, work)
    return found, connections.broken(found)


def _run_streams(options: argparse.Namespace, work: Path) -> Found:
    found = streams.run(options.seed, options.count, options.connections, options.seconds, work)
    return found, streams.broken(found)


def _run_burst(options: argparse.Namespace, work: Path) -> Found:
    found = burst.run(options.seed, options.clients, options.budget, options.transport, work)
    return found, burst.broken(found, _PEAK_MAX_BYTES, _KEPT_MAX_BYTES)


_RUNS: Final[dict[str, Callable[[argparse.Namespace, Path], Found]]] = {
    "spaces": _run_spaces,
    "connections": _run_connections,
    "streams": _run_streams,
    "burst": _run_burst,
}


if __name__ == "__main__":
    raise SystemExit(main())
