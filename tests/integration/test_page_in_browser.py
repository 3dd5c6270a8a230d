"""The page in a real browser, on a real server: the policy holds, and a deleted observation is found in the past."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.page_browser import RENDERERS, PageServer, open_page

SPACE = "notes"
TEXTS = {"a": "the pump on deck two leaks", "b": "the crew meets at noon", "c": "a heron stands in the shallow water"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = PageServer(tmp_path / "data")
    server.call("PUT", f"/spaces/{SPACE}", {"dimension": 64, "embedder": "lexical"})
    for id_, text in TEXTS.items():
        remember(server, id_, text)
    yield server
    assert server.process.stop() == 0


@pytest.fixture(params=RENDERERS)
def page(request: pytest.FixtureRequest, server: PageServer) -> Iterator[Any]:
    with open_page(f"{server.url}/#/recall/{SPACE}", request.param) as page:
        page.wait_for_selector(f".map-stage[data-renderer={request.param}]")
        yield page


def remember(server: PageServer, id_: str, text: str) -> None:
    server.call("POST", f"/spaces/{SPACE}/observations", {"id": id_, "content": text})


def recall(server: PageServer, **cue: object) -> Any:
    return server.call("POST", f"/spaces/{SPACE}/recall", cue)


def test_a_recall_shows_cards_and_what_is_new_appears(page: Any, server: PageServer) -> None:
    page.get_by_text(TEXTS["c"]).first.wait_for()
    page.locator("input[type=search]").fill("water bird heron")
    page.locator(".hit", has_text="score").first.wait_for()
    assert TEXTS["c"] in page.locator(".hit-content").first.inner_text()
    page.locator("input[type=search]").fill("")
    remember(server, "d", "snow on the pass")
    page.get_by_text("snow on the pass").first.wait_for()
    page.locator(".legend-count", has_text="4 of 4").wait_for()


def test_what_is_deleted_on_the_page_is_found_in_the_past(page: Any, server: PageServer) -> None:
    page.get_by_role("link", name="Memories").click()
    page.locator(".entry", has_text=TEXTS["a"]).click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete it").click()
    page.locator("[role=status]", has_text="Deleted a at generation 4").wait_for()
    assert recall(server, filter={})["generation"] == 4
    page.get_by_role("link", name="Recall").click()
    page.locator(".summary", has_text=re.compile("^2 memories")).wait_for()
    page.get_by_role("slider", name="As of generation").press("ArrowLeft")
    page.locator(".summary", has_text=re.compile("^3 memories as of generation 3")).wait_for()
    page.locator(".hit", has_text=TEXTS["a"]).wait_for()
    page.get_by_role("button", name="Now", exact=True).click()
    page.locator(".summary", has_text=re.compile("^2 memories as of now")).wait_for()


def test_what_is_remembered_on_the_page_is_durable(page: Any, server: PageServer) -> None:
    page.get_by_role("link", name="Memories").click()
    page.get_by_label("What to remember").fill("tide tables are in the drawer")
    page.get_by_role("button", name="Remember", exact=True).click()
    page.locator(".composer-result", has_text="Durable and recallable after").wait_for()
    found = recall(server, text="tide tables", k=1)["hits"]
    assert found[0]["content"] == "tide tables are in the drawer"
    page.get_by_role("link", name="Engine").click()
    page.locator(".counters", has_text="acknowledged").wait_for()
    page.locator(".panel", has_text=re.compile("Acknowledgement latency.*1 call of this page")).wait_for()


def test_the_memories_are_narrowed_by_a_filter_and_by_a_tag(page: Any, server: PageServer) -> None:
    for id_, deck, tags in (("d", 2, ["pump"]), ("e", 3, ["pump", "wet"]), ("f", 3, [])):
        body = {"id": id_, "content": f"a note of deck {deck}", "metadata": {"deck": deck}, "tags": tags}
        server.call("POST", f"/spaces/{SPACE}/observations", body)
    page.get_by_role("link", name="Memories").click()
    entries, field = page.locator(".entry"), page.get_by_label("Filter", exact=True)
    entries.nth(5).wait_for()
    field.fill("deck >= 3")
    field.press("Enter")
    page.get_by_text("2 of 6", exact=True).wait_for()
    entries.nth(1).wait_for()
    entries.nth(2).wait_for(state="detached")
    page.get_by_role("button", name="Tags", exact=True).click()
    page.get_by_role("button", name="wet 1").click()
    page.get_by_text("1 of 6", exact=True).wait_for()
    page.locator(".entry", has_text="wet").wait_for()
    entries.nth(1).wait_for(state="detached")
    assert field.input_value() == '(deck >= 3) and @tags any ("wet")'
    field.fill("deck >=")
    field.press("Enter")
    page.get_by_role("alert").filter(has_text="The filter has the end at character 8").wait_for()
    assert entries.count() == 1
    field.fill("")
    field.press("Enter")
    entries.nth(5).wait_for()


def test_the_map_goes_from_point_to_point_by_keys(page: Any) -> None:
    page.locator(".legend-count", has_text="3 of 3").wait_for()
    page.locator(".map-stage").press("ArrowRight")
    page.locator(".map-card").wait_for()
    assert any(text in page.locator(".map-card").inner_text() for text in TEXTS.values())
    page.locator(".map-stage").press("Escape")
    page.locator(".map-card").wait_for(state="detached")
