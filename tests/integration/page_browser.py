"""A real Chromium, and a server whose page it shows."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.integration.server_process import TIMEOUT_S, ServerProcess, steady_port

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium", allow_module_level=True)

Renderer = Literal["webgl2", "canvas"]
RENDERERS: tuple[Renderer, ...] = ("webgl2", "canvas")
DESKTOP = 1440
PHONE = 390
# What a browser says of a WebSocket whose server is away, and no more than that.
# A connection that a killed server had not taken yet, or was just answering, is reset or closed instead of refused.
NO_SERVER = (
    r"WebSocket connection to 'ws://127\.0\.0\.1:\d+/v1/stream' failed: "
    r"(Error .*net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|SOCKET_NOT_CONNECTED)"
    r"|Connection closed before receiving a handshake response)"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A machine without a graphics card draws with WebGL only if it may do so in software.
RENDERER_FLAGS: dict[Renderer, tuple[str, ...]] = {
    "webgl2": ("--enable-unsafe-swiftshader",),
    "canvas": ("--disable-gpu", "--disable-3d-apis"),
}


class PageServer:
    """A server that shows the page, at one address across its processes."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = steady_port()
        self.process = self._start()
        self.url = f"http://127.0.0.1:{self._port}"

    def _start(self, data: Path | None = None) -> ServerProcess:
        return ServerProcess(data or self._data, "--http-port", self._port)

    def start_again(self, data: Path | None = None) -> None:
        """Start it after its end, with its own data or with others."""
        self.process = self._start(data)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the HTTP interface; `path` stands behind ``/api/v1``."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=TIMEOUT_S)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status < 300, content
        return json.loads(content)


@contextmanager
def open_page(url: str, renderer: Renderer = "webgl2", width: int = DESKTOP, scheme: str = "dark") -> Iterator[Any]:
    """Yield the page at `url` in a browser of its own: on a phone, if it is that narrow.

    Fails at the end if the browser complained of anything, such as what the policy forbids, except for what matches one
    of the patterns in ``page.expected``.
    """
    complaints: list[str] = []
    expected: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *RENDERER_FLAGS[renderer]])
        page = browser.new_page(
            viewport={"width": width, "height": 844 if width == PHONE else 900},
            is_mobile=width == PHONE,
            has_touch=width == PHONE,
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page.expected = expected
        page.set_default_timeout(TIMEOUT_S * 1000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        yield page
        browser.close()
    left = [each for each in complaints if not any(re.fullmatch(pattern, each) for pattern in expected)]
    assert left == [], left
