"""``python -m campaigns.compaction``: kills while a log is compacted; exit code 1 if anything was lost or doubled."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from campaigns.compaction.kills import kill_while_compacting


def main() -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.compaction", description=__doc__)
    parser.add_argument("--seed", type=int, default=15, help="of the moments of the kills")
    parser.add_argument("--rounds", type=int, default=200, help="how many kills")
    parser.add_argument("--work", type=Path, default=None, help="where the store lies, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-compaction-", dir=options.work) as work:
        result = kill_while_compacting(options.seed, options.rounds, Path(work) / "data")
    text = json.dumps(result, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
