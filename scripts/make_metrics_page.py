"""Write the tables of docs/metrics.md, which say what stands in src/engram/metrics/table.py.

Usage: python scripts/make_metrics_page.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engram.metrics.family import MetricFamily, MetricGroup
from engram.metrics.table import TABLE

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
_MARK = "<!-- What follows is made by scripts/make_metrics_page.py from src/engram/metrics/table.py. -->\n"


def page(text: str) -> str:
    """Return the page `text` with the tables that it should have. What stands above the mark is kept."""
    above, mark, _ = text.partition(_MARK)
    if not mark:
        raise ValueError(f"the page lacks the line {_MARK!r}")
    return above + mark + "\n" + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for number, group in enumerate(MetricGroup):
        if number:
            yield ""
        yield f"## {group.value}"
        yield ""
        yield "| metric | kind | unit | labels | title | meaning |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(family) for family in TABLE if family.group is group)


def _row(family: MetricFamily) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
    cells = f"`{family.name}`", family.kind.value, family.unit, labels, family.title or "-", family.meaning
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
