"""Write the tables of baselines into docs/operations/streaming-monitoring.md, from what was measured.

Usage: python scripts/make_baselines.py. The measurement is `python -m benchmarks metrics-baseline`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "operations" / "streaming-monitoring.md"
RESULT: Final = ROOT / "benchmarks" / "results" / "metrics-baseline.json"
BEGIN: Final = "<!-- Written by scripts/make_baselines.py -->\n"
END: Final = "<!-- End of the baselines -->\n"
_PREFIX: Final = "engram_streaming_"
_COLUMNS: Final = {
    "histogram": ("P50", "P95", "P99", "per s"),
    "gauge": ("low", "median", "high"),
    "counter": ("per s",),
}
# They grow with what is stored, or are limits: no value of them is healthy in itself.
_LEFT_OUT: Final = re.compile(r"generation|_capacity|_limit_")


def page(text: str, result: dict[str, Any]) -> str:
    """Return the page `text` with the tables of a result."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the line {BEGIN!r} or {END!r}")
    return before + begin + "\n" + "\n".join(_lines(result)) + "\n\n" + end + after


def _lines(result: dict[str, Any]) -> Iterator[str]:
    settings, machine = result["settings"], result["machine"]
    yield (
        f"{settings['rate']:,.0f} observations of {settings['dim']} dimensions and {settings['recalls']:,.0f} recalls "
        f"a second for {settings['seconds']:,.0f} s, on {machine['cores']} cores ({machine['cpu']}), {machine['date']}."
    )
    rows = [row for row in result["rows"] if not _LEFT_OUT.search(row["metric"])]
    for kind, columns in _COLUMNS.items():
        yield ""
        yield f"| {kind} | labels | {' | '.join(columns)} |"
        yield f"|---|---|{'---|' * len(columns)}"
        for row in rows:
            if row["kind"] == kind and _moved(row):
                unit = row["unit"] if kind != "counter" else f"{row['unit']}/s"
                cells = [_text(row[column], "/s" if column == "per s" else unit) for column in columns]
                labels = f"`{row['labels']}`" if row["labels"] else "-"
                yield f"| `{row['metric'].removeprefix(_PREFIX)}` | {labels} | {' | '.join(cells)} |"
    told = {row["metric"] for row in rows if _moved(row)}
    silent = sorted({row["metric"].removeprefix(_PREFIX) for row in rows if row["metric"] not in told})
    yield ""
    yield f"At 0 all the time: {', '.join(f'`{name}`' for name in silent)}."


def _moved(row: dict[str, Any]) -> bool:
    """Whether a value was above 0 at some time."""
    return any(row[column] for column in _COLUMNS[row["kind"]])


def _text(value: float | None, unit: str) -> str:
    """Return a value for people."""
    if value is None:
        return "-"
    if unit == "seconds":
        return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.1f} s"
    if unit == "bytes":
        return f"{value / 2**20:,.1f} MiB"
    if unit in ("ratio", "share"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"


if __name__ == "__main__":
    PAGE.write_text(
        page(PAGE.read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8"
    )
