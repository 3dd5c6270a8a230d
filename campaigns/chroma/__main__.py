"""``python -m campaigns.chroma``: programs with Chroma as the oracle; exit code 1 if an answer differs.

Chroma is in an environment of its own, made by ``make extras``: ``.venv/suites/chroma/bin/python -m campaigns.chroma``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from pathlib import Path

from campaigns.chroma.comparison import Comparison
from campaigns.chroma.normalisations import NORMALISATIONS
from campaigns.chroma.program import program


def main() -> int:
    """Run the programs and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.chroma", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first program; the next ones follow")
    parser.add_argument("--programs", type=int, default=1000, help="how many to run")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the result")
    options = parser.parse_args()
    comparison = Comparison()
    differences = {}
    for seed in range(options.seed, options.seed + options.programs):
        difference = comparison.difference(program(seed))
        if difference is not None:
            differences[seed] = difference
            print(f"seed {seed}: {difference}", flush=True)
    result = {
        "chroma": importlib.metadata.version("chromadb"),
        "seed": options.seed,
        "programs": options.programs,
        "answers": comparison.answers,
        "rows": comparison.rows,
        "differences": differences,
        "normalisations": NORMALISATIONS,
    }
    text = json.dumps(result, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
