"""``python -m campaigns.crowds``: crowds of spaces and of clients; exit code 1 if what must hold does not."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.support.machine import describe
from campaigns.crowds import spaces


def main() -> int:
    """Run a campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.crowds", description=__doc__)
    parser.add_argument(
        "crowd", choices=["spaces"], help="spaces: many of them in one store, each written and recalled"
    )
    parser.add_argument("--seed", type=int, default=15, help="of all vectors, and of the order of recalls")
    parser.add_argument("--count", type=int, default=10_000, help="how many spaces")
    parser.add_argument("--files", type=int, default=1024, help="how many descriptors the process may have")
    parser.add_argument("--work", type=Path, default=None, help="where the stores lie, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-crowds-", dir=options.work) as work:
        parts = spaces.run(options.seed, options.count, options.files, Path(work))
    faults = spaces.broken(parts, options.count, options.files)
    command = f"python -m campaigns.crowds spaces --seed {options.seed} --count {options.count} --files {options.files}"
    result: dict[str, Any] = {"campaign": "crowds", "command": command, "machine": describe()}
    text = json.dumps({**result, **parts, "broken": faults}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
