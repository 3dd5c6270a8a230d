"""The results of the trials: as a table, and one line a trial in a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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

_SHOWN: Final = ("trials", *KEPT, "broken", "names the sector", "names the file")
# The kinds of harm by how they begin, the more exact ones first.
_GROUPS: Final = {
    "bit in a segment": "one bit anywhere in a segment",
    "bit in the segment header": "one bit in the first sector of a segment",
    "bit in the record header": "one bit in a header or checksum of a record",
    "bit in the sums": "one bit in a header or checksum of a record",
    "bit in the table": "one bit in a header or checksum of a record",
    "bit in the vector sums": "one bit in a header or checksum of a record",
    "bit in the list": "one bit in the list of spaces",
    "bit in a checkpoint": "one bit in a checkpoint",
    "bit in a description": "one bit in a description",
    "bit in the": "one bit in a column of a record",
    "page": "a page of zeros or noise",
    "file cut": "a file cut or emptied",
    "file emptied": "a file cut or emptied",
    "file extended": "a file made longer",
    "file deleted": "a file deleted",
    "files exchanged": "two files exchanged",
    "foreign file": "a file of another store or space",
    "older file": "an older copy of a file",
    "older directory": "an older directory of a space",
    "foreign directory": "a directory of another store or space",
    "directories exchanged": "a directory of another store or space",
    "directory": "a directory of a space deleted, or copied",
    "lock": "the lock deleted, or stray files",
    "stray": "the lock deleted, or stray files",
}


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


def saved(path: Path, without: Collection[int] = ()) -> list[dict[str, Any]]:
    """The trials that were saved, without some."""
    content = json.loads(path.read_text(encoding="utf-8"))
    trials = [dict(zip(content["columns"], trial, strict=True)) for trial in content["trials"]]
    return [trial for trial in trials if trial["trial"] not in without]


def markdown(path: Path) -> str:
    """The saved results as the table in docs/reliability.md: kinds that are alike together."""
    trials = saved(path)
    lines = ["| when | what was done | " + " | ".join(_SHOWN) + " |", "|---|---|" + "---|" * len(_SHOWN)]
    for when in ("at rest", "while running"):
        chosen = [trial for trial in trials if trial["when"] == when]
        for name in (*dict.fromkeys(_GROUPS.values()), "all"):
            counted = _counted([trial for trial in chosen if name in (_group(trial["kind"]), "all")])
            if counted["trials"]:
                lines.append(f"| {when} | {name} | " + " | ".join(f"{counted[column]:,}" for column in _SHOWN) + " |")
    return "\n".join(lines) + "\n"


def _group(kind: str) -> str:
    return next(group for begin, group in _GROUPS.items() if kind.startswith(begin))
