"""The page in a real browser while the client in TypeScript streams, also when the server is killed meanwhile."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engram import Cue, Filter
from engram.client import Client
from tests.integration.node_package import run_script
from tests.integration.page_browser import DESKTOP, NO_SERVER, PHONE, RENDERERS, PageServer, Renderer, open_page

SPACE = "stream"
COUNT = 5000
HERON_AT = 4000
SMALL_BUFFER = 200

# Streams observations with the client; calls `half` in the middle and does not wait for it.
STREAM = """
async ({ space, count, heronAt, buffer, half }) => {
  const { connect } = await import(`${location.origin}/client/index.js`);
  const client = await connect(location.origin, { space, buffer: { count: buffer } });
  for (let number = 1; number <= count; number++) {
    await client.ready();
    const content = number === heronAt ? "a heron stands in the shallow water" : `reading ${number} of the gauge`;
    void client.submit({ id: `o${number}`, content, tags: [`t${number % 7}`] });
    if (number === count / 2 && half) void half();
  }
  await client.flush();
  const pending = client.pendingCount;
  await client.close();
  return pending;
}
"""


@pytest.fixture(scope="module")
def client_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as it is published, built from its sources."""
    folder = tmp_path_factory.mktemp("client")
    run_script("clients/typescript", "compile", "--outDir", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = PageServer(tmp_path / "data")
    server.call("PUT", f"/spaces/{SPACE}", {"dimension": 384, "embedder": "lexical"})
    yield server
    assert server.process.stop() == 0


def serve_client(page: Any, files: Path) -> None:
    """Let the page load the client from its own origin, which is all that its policy allows."""

    def answer(route: Any) -> None:
        route.fulfill(path=files / route.request.url.rpartition("/")[2], content_type="text/javascript")

    page.route("**/client/*.js", answer)


def stream(page: Any, half: str = "", buffer: int = 10_000) -> None:
    """Begin to stream in the page."""
    wanted = {"space": SPACE, "count": COUNT, "heronAt": HERON_AT, "buffer": buffer}
    call = f"({STREAM})({{...{json.dumps(wanted)}, half: window.{half or 'nothing'}}})"
    page.evaluate(f"() => {{ window.streamed = {call}; }}")


def drag(page: Any, share: float) -> None:
    """Drag the slider from where it stands to a share of its way: with a finger on a phone, else with the mouse."""
    slider = page.get_by_role("slider", name="As of generation")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    at = float(slider.input_value()) / float(slider.get_attribute("max"))
    thumb = 18
    way = box["width"] - thumb
    y = box["y"] + box["height"] / 2
    steps = [box["x"] + thumb / 2 + way * (at + (share - at) * number / 8) for number in range(9)]
    if page.viewport_size["width"] == PHONE:
        hand = page.context.new_cdp_session(page)
        for number, x in enumerate(steps):
            kind = "touchMove" if number else "touchStart"
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        page.mouse.move(steps[0], y)
        page.mouse.down()
        for x in steps[1:]:
            page.mouse.move(x, y)
        page.mouse.up()


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_what_was_streamed_leaves_with_the_slider_and_comes_back(
    server: PageServer, client_files: Path, renderer: Renderer, width: int
) -> None:
    with open_page(f"{server.url}/#/recall/{SPACE}", renderer, width) as page:
        page.wait_for_selector(f".map-stage[data-renderer={renderer}]")
        serve_client(page, client_files)
        stream(page)
        assert page.evaluate("window.streamed") == 0
        page.locator(".legend-count", has_text="5,000 of 5,000").wait_for()
        page.locator("input[type=search]").fill("heron in the water")
        heron = page.locator(".hit", has_text="a heron stands")
        heron.wait_for()
        page.locator(".summary", has_text=re.compile("as of now, generation 5,000")).wait_for()

        drag(page, 0.5)
        page.locator(".summary", has_text=re.compile(r"^\d+ memories as of generation 2,[45]\d\d")).wait_for()
        heron.wait_for(state="detached")
        assert page.locator(".hit").count() == 12
        drag(page, 0.9)
        heron.wait_for()
        drag(page, 1.0)
        page.locator(".summary", has_text=re.compile("as of now, generation 5,000")).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("renderer", "width"), [("webgl2", DESKTOP), ("canvas", PHONE)])
def test_a_server_that_is_killed_in_mid_stream_has_everything_once(
    server: PageServer, client_files: Path, renderer: Renderer, width: int
) -> None:
    with open_page(f"{server.url}/#/recall/{SPACE}", renderer, width) as page:
        page.expected.append(NO_SERVER)
        page.wait_for_selector(f".map-stage[data-renderer={renderer}]")
        serve_client(page, client_files)
        page.expose_function("kill", lambda: server.process.stop(signal.SIGKILL))
        # What is left of the stream has no room in the client, so the kill comes before its end.
        stream(page, half="kill", buffer=SMALL_BUFFER)
        page.locator(".connection.is-waiting").wait_for()
        page.get_by_text("The server does not answer.").wait_for()
        assert server.process.process.poll() == -signal.SIGKILL
        server.start_again()
        assert page.evaluate("window.streamed") == 0
        page.locator(".connection.is-open").wait_for()
        page.get_by_text("The server does not answer.").wait_for(state="detached")
        page.locator(".legend-count", has_text="5,000 of 5,000").wait_for()

    with Client(server.process.address, space=SPACE) as client:
        hits = client.recall(Cue(filter=Filter()), k=2 * COUNT)
        status = client.space_status()
    assert sorted(hit.id for hit in hits) == sorted(f"o{number}" for number in range(1, COUNT + 1))
    # An observation that was stored twice would have replaced itself, at a further generation.
    assert sorted(hit.generation for hit in hits) == list(range(1, COUNT + 1))
    assert status.visible_generation == COUNT
