"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.support.machine import describe


def publish(
    name: str,
    settings: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    json_path: Path | None,
    columns: Sequence[str] | None = None,
) -> None:
    """Print a table of `rows`, then the same with its setting as JSON.

    Parameters
    ----------
    name
        Of the benchmark.
    settings
        Everything that a reader needs to repeat it: sizes, dimension, cores, parameters.
    json_path
        Where to save the JSON as well; None: only print it.
    columns
        Those to show in the table, see `show`; the JSON has all.
    """
    show(name, rows, columns)
    result = json.dumps({"benchmark": name, "machine": describe(), "settings": settings, "rows": rows}, indent=1)
    print(result)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(result + "\n", encoding="utf-8")


def show(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Print a table of `rows`; without `columns`, of all that the first row has and that are not lists."""
    table = Table(title=title, title_justify="left")
    if columns is None:
        columns = [column for column, value in rows[0].items() if not isinstance(value, list)]
    for column in columns:
        numeric = any(isinstance(row.get(column), (int, float)) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_shown(row.get(column, "")) for column in columns))
    Console(width=160).print(table)


def percentiles(name: str, samples_ms: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, as columns of a row."""
    p50, p99 = np.percentile(samples_ms, [50, 99])
    return {f"{name} P50 ms": float(p50), f"{name} P99 ms": float(p99)}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
