"""Take the screenshots of the page that README.md shows: of a real server with the sample, in a real browser.

    python scripts/screenshots.py docs/images

It needs Playwright and Chromium, which `make extras` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from engram import AsyncClient, MemoryStore
from engram.data import sample
from engram.server import ServerOptions, run_server

SPACE = "words"
QUESTION = "a ship that sails the sea"
# Name, view, width and height, colour scheme.
SHOTS = (
    ("page-recall", "recall", 1440, 900, "dark"),
    ("page-past", "recall", 1440, 900, "light"),
    ("page-phone", "recall", 390, 844, "dark"),
    ("page-engine", "engine", 1440, 900, "light"),
)
STEP = 250
WATCHED_S = 60


async def fill(data: Path) -> None:
    """Store the sample in parts, so that there is a past to look at."""
    words = sample()
    with MemoryStore(data) as store:
        space = store.space(SPACE, dim=384, embedder="lexical")
        for start in range(0, len(words.ids), STEP):
            part = slice(start, start + STEP)
            space.observe(words.ids[part], None, words.contents[part])


async def write(url: str) -> None:
    """Observe again and again, some hundred times a second, until this is cancelled."""
    words = sample()
    async with AsyncClient(url, space=SPACE) as client:
        for turn in itertools.count():
            for start in range(0, len(words.ids), STEP):
                part = slice(start, start + STEP)
                await client.observe([f"{id}-{turn}" for id in words.ids[part]], None, words.contents[part])
                await asyncio.sleep(0.25 + 0.15 * math.sin(start))


async def shoot(page: Any, name: str, view: str, folder: Path) -> None:
    """Bring the page into the state that the picture shows, and save it."""
    if view == "recall":
        await page.locator("input[type=search]").fill(QUESTION)
        await page.locator(".hit", has_text="score").first.wait_for()
        if name == "page-past":
            slider = page.get_by_role("slider", name="As of generation")
            for _ in range(10):
                await slider.press("PageDown")
            await page.locator(".summary", has_text=re.compile("as of generation")).wait_for()
    else:
        # As long as the charts reach back far enough to have a shape.
        await asyncio.sleep(WATCHED_S)
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=folder / f"{name}.png")
    print(folder / f"{name}.png")


async def main(folder: Path) -> None:
    """Serve the sample, and take all pictures."""
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        await asyncio.to_thread(lambda: asyncio.run(fill(data)))
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        options = ServerOptions(data, port=0, http_port=0, http_ready=address.set_result)
        server = asyncio.create_task(run_server(options, stop))
        url = await address
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--headless", "--no-sandbox", "--enable-unsafe-swiftshader", "--no-first-run"],
            )
            for name, view, width, height, scheme in SHOTS:
                page = await browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                    reduced_motion="reduce",
                )
                page.set_default_timeout(120_000)
                writer = asyncio.create_task(write(url)) if view == "engine" else None
                await page.goto(f"{url}/#/{view}/{SPACE}")
                await shoot(page, name, view, folder)
                await page.close()
                if writer is not None:
                    writer.cancel()
            await browser.close()
        stop.set()
        await server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="where to save the pictures")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
