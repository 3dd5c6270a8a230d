"""``python -m campaigns.erasure``: many ids are erased; exit code 1 if anything of them is left in any file."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.support.machine import describe
from campaigns.erasure.erasing import broken, run


def main() -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.erasure", description=__doc__)
    parser.add_argument("--seed", type=int, default=15, help="of the vectors, and of who is erased")
    parser.add_argument("--count", type=int, default=1000, help="how many are erased")
    parser.add_argument("--of", type=int, default=20_000, help="of how many")
    parser.add_argument("--work", type=Path, default=None, help="where the store lies, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-erasure-", dir=options.work) as work:
        result = run(options.seed, options.count, options.of, Path(work))
    faults = broken(result)
    command = f"python -m campaigns.erasure --seed {options.seed} --count {options.count} --of {options.of}"
    head = {"campaign": "erasure", "command": command, "machine": describe()}
    text = json.dumps({**head, **result, "broken": faults}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
