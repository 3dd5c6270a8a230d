"""The results of the trials: as a table, and one line a trial in a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from campaigns.damage.verdict import BROKEN, KEPT

_SAVED: Final = (
    "trial",
    "when",
    "way",
    "kind",
    "files",
    "offset",
    "nbytes",
    "verdict",
    "detail",
    "named",
    "asked",
    "refused",
)


def table(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The number of trials of each kind by verdict, and how many had their place named."""
    rows = []
    for when in ("at rest", "while running"):
        chosen = [result for result in results if result["when"] == when]
        for kind in [*sorted({result["kind"] for result in chosen}), "all"]:
            rows.append({"when": when, "kind": kind, **_counted([r for r in chosen if kind in (r["kind"], "all")])})
    return rows


def save(
    path: Path,
    command: str,
    machine: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
) -> None:
    """Save all of it as JSON, one trial a line."""
    head = json.dumps({"campaign": "damage", "command": command, "machine": machine, "columns": _SAVED}, indent=1)
    lines = ",\n".join(json.dumps([result[name] for name in _SAVED], ensure_ascii=False) for result in results)
    summary = ",\n".join(json.dumps(row) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head[:-2]},\n "summary": [\n{summary}\n ],\n "trials": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def _counted(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    words = Counter(result["verdict"] for result in results)
    broken = sum(words[word] for word in BROKEN)
    named = Counter(result["named"] for result in results)
    return {
        "trials": len(results),
        **{word: words[word] for word in KEPT},
        "broken": broken,
        "names the sector": named["sector"],
        "names the file": named["file"],
    }
