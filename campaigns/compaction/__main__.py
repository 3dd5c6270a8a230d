"""``python -m campaigns.compaction``: kills and power cuts while a log is compacted and erased from.

The exit code is 1 if anything was lost, changed or stored twice, or came back.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.support.machine import describe
from campaigns.compaction.cuts import cut
from campaigns.compaction.kills import kill


def main() -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.compaction", description=__doc__)
    parser.add_argument("--seed", type=int, default=15, help="of the moments of the kills and of the power cuts")
    parser.add_argument("--kills", type=int, default=200, help="how many kills of a process")
    parser.add_argument("--cuts", type=int, default=200, help="how many cuts of the power of a simulated disk")
    parser.add_argument("--work", type=Path, default=None, help="where the store lies, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-compaction-", dir=options.work) as work:
        killed = kill(options.seed, options.kills, Path(work) / "data")
    was_cut = cut(options.seed, options.cuts)
    given = f"--seed {options.seed} --kills {options.kills} --cuts {options.cuts}"
    head = {"campaign": "compaction", "command": f"python -m campaigns.compaction {given}", "machine": describe()}
    text = json.dumps({**head, "killed": killed, "cut": was_cut}, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(text)
    return 1 if killed["wrong"] or was_cut["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
