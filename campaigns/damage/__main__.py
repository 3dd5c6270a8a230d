"""``python -m campaigns.damage``: run the trials, show them as a table and save each."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.support.machine import describe
from benchmarks.support.report import show
from campaigns.damage.results import save, saved, table
from campaigns.damage.trials import run_trials
from campaigns.damage.verdict import BROKEN


def main() -> int:
    """Run as the command line says; the exit status tells whether all words were kept."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.damage", description=__doc__)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--trials", type=int, default=2000, help="of damage at rest")
    parser.add_argument("--running", type=int, default=500, help="of damage under an open store")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    parser.add_argument(
        "--only",
        type=int,
        nargs="*",
        default=(),
        help="the numbers of the trials to run; the others are taken from --out",
    )
    parser.add_argument("--work", type=Path, default=None, help="where to copy to, /tmp by default")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the results")
    options = parser.parse_args()
    start_s = time.monotonic()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="engram-damage-", dir=options.work) as work:
        for result in run_trials(options.seed, options.trials, options.running, Path(work), options.jobs, options.only):
            results.append(result)
            _tell(result, len(results), start_s)
    if options.only and options.out is not None and options.out.exists():
        results = sorted([*results, *saved(options.out, without=options.only)], key=lambda one: one["trial"])
    rows = table(results)
    show(f"damage, seed {options.seed}", rows)
    if options.out is not None:
        command = (
            f"python -m campaigns.damage --seed {options.seed} --trials {options.trials} --running {options.running}"
        )
        save(options.out, command, describe(), rows, results)
    return 1 if _broken(results) else 0


def _tell(result: Mapping[str, Any], count: int, start_s: float) -> None:
    if result["verdict"] in BROKEN:
        print("BROKEN", {key: value for key, value in result.items() if value != ""}, flush=True)
    if count % 50 == 0:
        print(f"{count} trials in {time.monotonic() - start_s:.0f} s", flush=True)


def _broken(results: Sequence[Mapping[str, Any]]) -> int:
    words = Counter(result["verdict"] for result in results)
    print(", ".join(f"{word}: {count}" for word, count in words.most_common()))
    return sum(words[word] for word in BROKEN)


if __name__ == "__main__":
    raise SystemExit(main())
