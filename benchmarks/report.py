"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe


def publish(name: str, settings: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], json_path: Path | None) -> None:
    """Print a table of `rows` (the first row's keys are the columns), then the same with its setting as JSON.

    Parameters
    ----------
    name
        Of the benchmark.
    settings
        Everything that a reader needs to repeat it: sizes, dimension, cores, parameters.
    json_path
        Where to save the JSON as well; None: only print it.
    """
    table = Table(title=name, title_justify="left")
    columns = list(rows[0])
    for column in columns:
        table.add_column(column, justify="right" if isinstance(rows[0][column], (int, float)) else "left")
    for row in rows:
        table.add_row(*(_shown(row.get(column, "")) for column in columns))
    console = Console(width=160)
    console.print(table)
    result = json.dumps({"benchmark": name, "machine": describe(), "settings": settings, "rows": rows}, indent=1)
    print(result)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(result + "\n", encoding="utf-8")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
