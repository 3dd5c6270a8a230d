"""The page in a real browser, on a real server: the policy holds, and a deleted observation is found in the past."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server_process import TIMEOUT_S, ServerProcess

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium", allow_module_level=True)

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A machine without a graphics card draws with WebGL only if it may do so in software.
WITH_WEBGL = [*FLAGS, "--enable-unsafe-swiftshader"]
WITHOUT_WEBGL = [*FLAGS, "--disable-gpu", "--disable-3d-apis"]
SPACE = "notes"
TEXTS = {"a": "the pump on deck two leaks", "b": "the crew meets at noon", "c": "a heron stands in the shallow water"}


class PageServer(ServerProcess):
    """A server that shows the page, with a space of three observations."""

    def __init__(self, data: Path) -> None:
        ports = data.with_suffix(".ports")
        super().__init__(data, "--http-port", "0", "--port-file", str(ports))
        self.http_port = int(ports.read_text().splitlines()[1])
        self.call("PUT", "", {"dimension": 64, "embedder": "lexical"})
        for id_, text in TEXTS.items():
            self.call("POST", "/observations", {"id": id_, "content": text})

    def call(self, method: str, path: str, body: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json"}
        connection.request(method, f"/api/v1/spaces/{SPACE}{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status < 300, content
        return json.loads(content)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = PageServer(tmp_path / "data")
    yield server
    assert server.stop() == 0


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains about, such as what the policy forbids."""
    return []


@pytest.fixture(params=["webgl2", "canvas"])
def page(request: pytest.FixtureRequest, server: PageServer, complaints: list[str]) -> Iterator[Any]:
    flags = WITH_WEBGL if request.param == "webgl2" else WITHOUT_WEBGL
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        page.set_default_timeout(TIMEOUT_S * 1000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.http_port}/#/recall/{SPACE}")
        page.wait_for_selector(f".map-stage[data-renderer={request.param}]")
        yield page
        browser.close()
    assert complaints == []


def test_a_recall_shows_cards_and_what_is_new_appears(page: Any, server: PageServer) -> None:
    page.get_by_text(TEXTS["c"]).first.wait_for()
    page.locator("input[type=search]").fill("water bird heron")
    page.locator(".hit", has_text="score").first.wait_for()
    assert TEXTS["c"] in page.locator(".hit-content").first.inner_text()
    page.locator("input[type=search]").fill("")
    server.call("POST", "/observations", {"id": "d", "content": "snow on the pass"})
    page.get_by_text("snow on the pass").first.wait_for()
    page.locator(".legend-count", has_text="4 of 4").wait_for()


def test_what_is_deleted_on_the_page_is_found_in_the_past(page: Any, server: PageServer) -> None:
    page.get_by_role("link", name="Memories").click()
    page.locator(".entry", has_text=TEXTS["a"]).click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete it").click()
    page.locator("[role=status]", has_text="Deleted a at generation 4").wait_for()
    assert server.call("POST", "/recall", {"filter": {}})["generation"] == 4
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
    page.get_by_role("button", name="Remember").click()
    page.locator(".composer-result", has_text="Durable and recallable after").wait_for()
    found = server.call("POST", "/recall", {"text": "tide tables", "k": 1})["hits"]
    assert found[0]["content"] == "tide tables are in the drawer"
    page.get_by_role("link", name="Engine").click()
    page.locator(".counters", has_text="acknowledged").wait_for()
    page.locator(".panel", has_text=re.compile("Acknowledgement latency.*1 call of this page")).wait_for()


def test_the_map_goes_from_point_to_point_by_keys(page: Any) -> None:
    page.locator(".legend-count", has_text="3 of 3").wait_for()
    page.locator(".map-stage").press("ArrowRight")
    page.locator(".map-card").wait_for()
    assert any(text in page.locator(".map-card").inner_text() for text in TEXTS.values())
    page.locator(".map-stage").press("Escape")
    page.locator(".map-card").wait_for(state="detached")
