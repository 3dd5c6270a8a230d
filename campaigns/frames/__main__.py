"""``python -m campaigns.frames``: a server under mutated frames; exit code 1 if it did what no server should."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from campaigns.frames.attack import attack, broken


def main() -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.frames", description=__doc__)
    parser.add_argument("--seed", type=int, default=13, help="of everything that is sent")
    parser.add_argument("--frames", type=int, default=100_000, help="how many mutated ones to send")
    parser.add_argument("--work", type=Path, default=None, help="where the server's store lies, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-frames-", dir=options.work) as work:
        result = asyncio.run(attack(options.seed, options.frames, Path(work)))
    faults = broken(result)
    text = json.dumps({**result, "broken": faults}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
