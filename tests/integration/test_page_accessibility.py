"""Axe finds nothing serious in any view of the page, in dark and light, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.places import ROOT
from tests.integration.page_browser import DESKTOP, PHONE, PageServer, open_page

AXE = ROOT / "page" / "node_modules" / "axe-core" / "axe.min.js"
if not AXE.is_file():
    pytest.skip("axe is not installed: make extras", allow_module_level=True)

SPACE = "notes"
GRAVE = ("serious", "critical")
# Axe cannot tell the contrast on a gradient. It is told on the colour of the gradient that is nearest to that of texts.
PLAIN = r"""() => {
  const glow = getComputedStyle(document.documentElement).getPropertyValue("--glow");
  document.body.style.background = glow.match(/#[0-9a-f]{6}/)[0];
}"""
# What fades in has no contrast yet.
AT_REST = "() => document.getAnimations().every((each) => each.playState !== 'running')"
RUN = "() => axe.run(document, { resultTypes: ['violations'] })"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = PageServer(tmp_path / "data")
    server.call("PUT", f"/spaces/{SPACE}", {"dimension": 64, "embedder": "lexical"})
    server.call("PUT", "/spaces/empty", {"dimension": 64})
    contents = ["the pump on deck two leaks", "the crew meets at noon", "a heron stands in the shallow water"]
    tags = [["pump", "deck"], [], ["bird"]]
    body = {"ids": ["a", "b", "c"], "contents": contents, "tags": tags, "metadata": [{"site": 4}, None, None]}
    server.call("POST", f"/spaces/{SPACE}/observations", body)
    yield server
    assert server.process.stop() == 0


def faults(page: Any) -> dict[str, list[str]]:
    """The serious faults that axe finds, each with the elements that have it."""
    # The policy of the page forbids inline scripts, but not what the browser's driver evaluates.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(PLAIN)
    page.wait_for_function(AT_REST)
    found = page.evaluate(RUN)["violations"]
    return {fault["id"]: [node["html"][:200] for node in fault["nodes"]] for fault in found if fault["impact"] in GRAVE}


def test_a_fault_is_found(server: PageServer) -> None:
    with open_page(f"{server.url}/#/recall/{SPACE}") as page:
        page.locator(".hit").first.wait_for()
        page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
        page.evaluate("() => { document.querySelector('.summary').style.color = '#444'; }")
        assert set(faults(page)) == {"button-name", "color-contrast"}


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_every_view_can_be_used_by_everybody(server: PageServer, width: int, scheme: str) -> None:
    with open_page(f"{server.url}/#/recall/{SPACE}", width=width, scheme=scheme) as page:
        page.locator(".legend-count", has_text="3 of 3").wait_for()
        assert faults(page) == {}
        page.locator("input[type=search]").fill("heron in the water")
        page.locator(".hit", has_text="score").first.wait_for()
        page.get_by_role("slider", name="As of generation").press("ArrowLeft")
        page.locator(".time:not(.is-now)").wait_for()
        page.get_by_role("button", name="As of").click()
        page.get_by_label("tag", exact=True).check()
        page.locator(".map-stage").press("ArrowRight")
        page.locator(".map-card").wait_for()
        assert faults(page) == {}

        page.get_by_role("link", name="Memories").click()
        page.get_by_role("button", name="Tags", exact=True).click()
        page.locator(".tag-counts button").first.wait_for()
        page.get_by_label("Filter", exact=True).fill("site >=")
        page.get_by_label("Filter", exact=True).press("Enter")
        page.locator(".filter-problem").wait_for()
        assert faults(page) == {}
        page.locator(".entry").nth(2).click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Really delete it").wait_for()
        assert faults(page) == {}

        page.get_by_role("link", name="Engine").click()
        page.locator(".panel", has_text="Recall latency").locator(".histogram").wait_for()
        page.locator(".panel", has_text="Index workers").wait_for()
        assert faults(page) == {}

        page.goto(f"{server.url}/#/recall/empty")
        page.locator("input[type=search]").fill("[1, 2]")
        page.locator(".notice.is-bad").wait_for()
        assert faults(page) == {}
