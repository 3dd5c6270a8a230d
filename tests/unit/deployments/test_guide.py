"""The guide to monitoring shows what was measured, and a picture that needs nobody else."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.monitoring import CATALOGUE
from tests.doubles.places import ROOT

baselines = runpy.run_path(str(ROOT / "scripts" / "make_baselines.py"))
RESULT = ROOT / "benchmarks" / "results" / "metrics-baseline.json"
PICTURE = ROOT / "docs" / "images" / "top.svg"


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    return found


def test_the_tables_are_what_was_measured() -> None:
    text = CATALOGUE.read_text(encoding="utf-8")
    assert text == baselines["page"](text, result()), "run: .venv/bin/python scripts/make_baselines.py"


def test_a_page_that_is_behind_is_brought_up_to_date() -> None:
    text, measured = CATALOGUE.read_text(encoding="utf-8"), result()
    other = {**measured, "rows": measured["rows"][:-1]}
    behind = baselines["page"](text, other)
    assert behind != text
    assert baselines["page"](behind, measured) == text
    with pytest.raises(ValueError, match="lacks the line"):
        baselines["page"]("no page", measured)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "seconds", "-"),
        (0.01234, "seconds", "12.3 ms"),
        (61.0, "seconds", "61.0 s"),
        (3 << 20, "bytes", "3.0 MiB"),
        (0.956, "ratio", "95.6%"),
        (1234.5, "observations", "1,234"),
        (2.0, "observations", "2"),
        (2.5, "batches/s", "2.50"),
    ],
)
def test_values_are_written_for_people(value: float | None, unit: str, text: str) -> None:
    assert baselines["_text"](value, unit) == text


def test_the_picture_of_top_fetches_nothing_and_has_what_top_shows() -> None:
    svg = PICTURE.read_text(encoding="utf-8")
    assert len(svg) < 100_000
    # Without the comment that names the program that made it.
    urls = set(re.findall(r"https?://[^\"'< )]+", re.sub(r"<!--.*?-->", "", svg)))
    assert urls <= {"http://www.w3.org/2000/svg"} | addresses(svg)
    assert "@font-face" not in svg
    for word in ("observed/s", "durable", "P99", "lane", "worker", "space", "recall@k"):
        assert word in svg, word


def addresses(svg: str) -> set[str]:
    """The addresses of the server that the picture shows as text."""
    return set(re.findall(r"http://127\.0\.0\.1:\d+", svg))


def test_the_guide_shows_the_picture() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", CATALOGUE.read_text(encoding="utf-8"))
    assert [(Path(CATALOGUE.parent) / path).resolve() for path in shown] == [PICTURE]
