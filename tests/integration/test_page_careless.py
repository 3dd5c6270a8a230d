"""The page in the hands of somebody careless, on a desktop and on a phone."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.page_browser import DESKTOP, NO_SERVER, PHONE, PageServer, open_page

MARKUP = "<b>bold</b><img src=x onerror=alert(1)><script>alert(2)</script>"
WORD = "W" * 60_000
TAG = "x" * 128


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = PageServer(tmp_path / "data")
    yield server
    assert server.process.stop() == 0


def make_space(server: PageServer, name: str, **settings: object) -> None:
    server.call("PUT", f"/spaces/{name}", settings)


def observe(server: PageServer, space: str, **columns: object) -> None:
    server.call("POST", f"/spaces/{space}/observations", columns)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_texts_of_any_length_with_markup_stay_texts_within_the_page(server: PageServer, width: int) -> None:
    make_space(server, "notes", dimension=64, embedder="lexical")
    metadata = [{MARKUP: MARKUP}, {"key": WORD[:3000]}]
    observe(server, "notes", ids=[MARKUP, "long"], contents=[MARKUP, WORD], tags=[[], [TAG]], metadata=metadata)
    with open_page(f"{server.url}/#/recall/notes", width=width) as page:
        dialogs: list[object] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog))  # noqa: PLW0108 - it wants a Python function.
        page.locator(".hit", has_text=MARKUP).wait_for()
        page.get_by_label("tag", exact=True).check()
        page.locator(".legend", has_text=TAG).wait_for()
        assert_fits(page, width)
        page.get_by_role("link", name="Memories").click()
        for text in (MARKUP, WORD[:100]):
            page.locator(".entry", has_text=text).click()
            page.locator(".detail", has_text=text).wait_for()
            assert_fits(page, width)
            page.get_by_role("button", name="Close").click()
        page.get_by_label("What to remember").fill("z" * 70_000)
        page.get_by_role("button", name="Remember", exact=True).click()
        page.locator(".entry", has_text="z" * 100).wait_for()
        assert_fits(page, width)
        page.get_by_role("link", name="Recall").click()
        page.locator("input[type=search]").fill("q" * 70_000)
        page.locator(".hit", has_text=MARKUP).wait_for()
        assert_fits(page, width)
        assert page.locator("main img, main script").count() == 0
        assert dialogs == []


def assert_fits(page: Any, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_space_without_an_embedder_is_asked_for_words_and_vectors(server: PageServer) -> None:
    make_space(server, "vectors", dimension=2000)
    vectors = [[float(row == column) for column in range(2000)] for row in range(3)]
    observe(server, "vectors", ids=["a", "b", "c"], contents=["red door", "blue door", "green hill"], vectors=vectors)
    with open_page(f"{server.url}/#/recall/vectors") as page:
        page.locator(".legend-count", has_text="3 of 3").wait_for()
        cue = page.locator("input[type=search]")
        cue.fill("blue")
        page.get_by_text("This space has no embedder: a text finds its words").wait_for()
        page.locator(".summary", has_text="1 memory").wait_for()
        assert page.get_by_label("meaning").is_disabled()
        assert page.get_by_label("words").is_checked()
        cue.fill(str(vectors[2]))
        page.locator(".hit").first.filter(has_text="green hill").wait_for()
        cue.fill("[1, 2, 3]")
        page.get_by_text("A vector of 3 numbers; this space has 2000").wait_for()
        page.locator(".notice.is-bad", has_text="dimension").wait_for()
        page.get_by_role("link", name="Memories").click()
        page.get_by_label("What to remember").fill("a gate")
        page.get_by_role("button", name="Remember", exact=True).click()
        page.get_by_text("This space has no embedder: pass a vector of 2000 numbers.").wait_for()
        page.get_by_label("Vector of 2000 numbers").fill(str(vectors[1]))
        page.get_by_role("button", name="Remember", exact=True).click()
        page.locator(".entry", has_text="a gate").wait_for()


def test_an_address_that_was_mistyped_still_shows_the_page(server: PageServer) -> None:
    with open_page(f"{server.url}/#/nonsense/%E0%A4%A") as page:
        page.get_by_text("Nothing is remembered here yet.").wait_for()
        page.goto(f"{server.url}/#/recall/no-such-space")
        page.get_by_text("There is no space no-such-space.").wait_for()
        page.locator(".picker select").select_option("default")
        page.get_by_text("There is no space no-such-space.").wait_for(state="detached")


def test_what_another_one_deleted_meanwhile_is_gone_here_too(server: PageServer) -> None:
    make_space(server, "notes", dimension=64, embedder="lexical")
    observe(server, "notes", ids=["a", "b"], contents=["the pump leaks", "the crew meets"])
    with open_page(f"{server.url}/#/memories/notes") as page:
        page.locator(".entry", has_text="the pump leaks").click()
        server.call("POST", "/spaces/notes/delete", {"ids": ["a"]})
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Really delete it").click()
        page.locator("[role=status]", has_text="a was deleted before.").wait_for()
        page.locator(".entry", has_text="the pump leaks").wait_for(state="detached")


def test_another_store_at_the_same_address_is_shown_as_it_is(server: PageServer, tmp_path: Path) -> None:
    make_space(server, "default", dimension=768)
    observe(server, "default", ids=["a"], contents=["of the first store"], vectors=[[1.0] * 768])
    with open_page(f"{server.url}/#/recall/default") as page:
        page.expected.append(NO_SERVER)
        page.locator(".hit", has_text="of the first store").wait_for()
        server.process.stop(signal.SIGKILL)
        page.get_by_text("The server does not answer.").wait_for()
        server.start_again(tmp_path / "other")
        page.get_by_text("Nothing is remembered here yet.").wait_for()
        page.locator(".legend-count", has_text="0 of 0").wait_for()


def test_a_map_whose_graphics_card_was_taken_away_draws_again(server: PageServer) -> None:
    make_space(server, "notes", dimension=64, embedder="lexical")
    observe(server, "notes", ids=["a"], contents=["the pump leaks"])
    with open_page(f"{server.url}/#/recall/notes") as page:
        page.locator(".legend-count", has_text="1 of 1").wait_for()
        canvas = page.locator(".map-stage canvas").first.element_handle()
        canvas.evaluate("canvas => canvas.getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()")
        page.wait_for_function("canvas => !canvas.isConnected", arg=canvas)
        page.locator(".map-stage[data-renderer=webgl2]").wait_for()
        assert not page.locator(".map-stage canvas").first.evaluate("c => c.getContext('webgl2').isContextLost()")
        page.locator(".map-stage").press("ArrowRight")
        page.locator(".map-card", has_text=re.compile("the pump leaks")).wait_for()
