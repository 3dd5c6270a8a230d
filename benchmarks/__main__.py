"""The one entry to all benchmarks.

python -m benchmarks                    # list them, with their saved results
python -m benchmarks NAME [options]     # run one; its options come after the name
python -m benchmarks NAME --help        # show its options
python -m benchmarks NAME --short       # run one in its short form
python -m benchmarks all --short        # run every one that has a short form, one after the other
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence

from benchmarks.registry import BENCHMARKS, RESULTS, Benchmark

_SHORT = "--short"
_ALL = "all"
_WIDTH = 120


def listing() -> Iterator[str]:
    """The lines of the list: each benchmark, what it measures and its saved results, room by room."""
    column = max(len(benchmark.name) for benchmark in BENCHMARKS) + 4
    for _, room in itertools.groupby(BENCHMARKS, lambda benchmark: benchmark.room):
        yield ""
        for benchmark in room:
            yield f"  {benchmark.name:<{column - 2}}{benchmark.line}"
            results = ", ".join(benchmark.results) or "no saved result"
            yield textwrap.indent(textwrap.fill(results, _WIDTH - column, break_on_hyphens=False), " " * column)


def run(benchmark: Benchmark, options: Sequence[str]) -> None:
    """Run one in this process, with these options as its command line."""
    sys.argv = [benchmark.name, *options]
    importlib.import_module(benchmark.module).main()


def run_short(benchmark: Benchmark, more: Sequence[str] = ()) -> bool:
    """Run the short form of one, with `more` options, each run as a process; return whether all went well."""
    sound = True
    for options in benchmark.short:
        command = [benchmark.name, *shlex.split(options), *more]
        print(f"python -m benchmarks {shlex.join(command)}", flush=True)
        sound &= subprocess.run([sys.executable, "-m", "benchmarks", *command], check=False).returncode == 0
    return sound


def run_all() -> int:
    """Run every short form, whatever becomes of the others; the exit status tells whether all went well."""
    failed = []
    for benchmark in BENCHMARKS:
        if not benchmark.short:
            print(f"{benchmark.name} has no short form: skipped", flush=True)
        elif not run_short(benchmark):
            failed.append(benchmark.name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(inspect.cleandoc(__doc__), *listing(), f"\nSaved results are in {RESULTS}.", sep="\n")
        return 0
    name, *options = arguments
    more = [option for option in options if option != _SHORT]
    short = len(more) < len(options)
    if name == _ALL:
        if more or not short:
            raise SystemExit("all of them run in their short form only: python -m benchmarks all --short")
        return run_all()
    benchmark = next((known for known in BENCHMARKS if known.name == name), None)
    if benchmark is None:
        raise SystemExit(f"there is no benchmark {name!r}; for the list: python -m benchmarks")
    if not short:
        run(benchmark, options)
        return 0
    if not benchmark.short:
        raise SystemExit(f"{name} has no short form")
    return 0 if run_short(benchmark, more) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
