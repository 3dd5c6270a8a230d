"""Check that every type of the public interface is complete, as pyright sees it.

The public interface is what docs/api.md names, with all members. A type is complete if it is declared and no part of it
is unknown; then every type checker of a user sees the same. It also must not be `Any`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def public_names() -> set[str]:
    """The full names of what the reference names, where it is defined."""
    names = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = set()
    for name in names:
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
            found.add(name)
        except ModuleNotFoundError:
            value = getattr(importlib.import_module(module), attribute)
            found |= {f"{one.__module__}.{one.__qualname__}" for one in [value, *_bases(value)]}
    return found


def faults() -> Iterator[str]:
    """What is not complete, a line each."""
    public = public_names()
    seen = set()
    for symbol in _report()["typeCompleteness"]["symbols"]:
        owners = {name for name in public if symbol["name"] == name or symbol["name"].startswith(name + ".")}
        if not owners or symbol["name"].rpartition(".")[2].startswith("_"):
            continue
        seen |= owners
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]:
            told = " ".join(" ".join(one["message"].split()) for one in symbol["diagnostics"])
            yield f"{symbol['name']}: {told or 'its type is not complete'}"
    yield from (f"{name}: pyright does not know it" for name in sorted(public - seen))


def _report() -> Any:
    # The source comes first in the path: pyright does not follow the hook of an editable installation.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    options = ["--pythonpath", sys.executable, "--ignoreexternal", "--outputjson"]
    command = ["basedpyright", *options, "--verifytypes", "engram"]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=False).stdout)


def _bases(value: object) -> list[type]:
    mro = value.__mro__ if isinstance(value, type) else ()
    return [base for base in mro if base.__module__.startswith("engram.")]


if __name__ == "__main__":
    incomplete = list(faults())
    print("\n".join(incomplete) or "Every public type is complete.")
    sys.exit(bool(incomplete))
