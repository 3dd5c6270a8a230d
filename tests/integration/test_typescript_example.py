"""The example page of the TypeScript client, in a real browser and from another origin than the server's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.places import ROOT
from tests.integration.node_package import BIN, building_alone, run_script
from tests.integration.server_process import TIMEOUT_S, steady_port

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium", allow_module_level=True)

PACKAGE = "clients/typescript"


@pytest.fixture
def address() -> Iterator[str]:
    """Where the page is served, by what its README says."""
    with building_alone(PACKAGE):
        run_script(PACKAGE, "example:build")
        command = [str(BIN / "node"), "scripts/serve.mjs"]
        environment = os.environ | {"PORT": "0"}
        folder = ROOT / PACKAGE
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as served:
            assert served.stdout is not None
            yield served.stdout.readline().strip()
            served.terminate()


@contextmanager
def serving(data: Path, origin: str, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """`engram serve`, as the README of the example starts it; the page connects as soon as it is there."""
    command = [sys.executable, "-m", "engram", "serve", "--data", str(data), "--port", "0", "--http-port", port]
    with data.with_suffix(".log").open("ab") as log:
        server = subprocess.Popen([*command, "--http-origins", origin], stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        server.wait(TIMEOUT_S)


def test_the_example_observes_recalls_and_outlives_the_server(address: str, tmp_path: Path) -> None:
    origin, port, data = address.partition("/examples")[0], steady_port(), tmp_path / "data"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox"])
        page: Any = browser.new_page()
        page.set_default_timeout(TIMEOUT_S * 1000)
        observe, recall = (page.locator(f"#{name} input") for name in ("observe", "recall"))
        with serving(data, origin, port) as server:
            open_page(page, f"{address}?server=ws://127.0.0.1:{port}")
            observe.fill("the pump leaks")
            observe.press("Enter")
            page.locator("#live li", has_text="the pump leaks").wait_for()
            recall.fill("a leaking pump")
            recall.press("Enter")
            page.locator("#hits li", has_text="the pump leaks").wait_for()
            server.kill()
            server.wait(TIMEOUT_S)
            observe.fill("the door is open")
            observe.press("Enter")
            page.locator("#pending", has_text="1").wait_for()
        with serving(data, origin, port):
            page.locator("#live li", has_text="the door is open").wait_for()
            page.locator("#pending", has_text="0").wait_for()
        assert page.locator("#live li").count() == 2
        assert page.locator("#error").inner_text() == ""
        browser.close()


def open_page(page: Any, address: str) -> None:
    """Open the page until the server has started; the client itself waits ten seconds for it."""
    for _ in range(20):
        page.goto(address)
        state, error = page.locator("#state", has_text="open"), page.locator("#error", has_text="no_server")
        state.or_(error).first.wait_for()
        if state.count():
            return
    raise AssertionError("the page did not connect")
