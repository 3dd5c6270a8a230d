"""Take the screenshots of the page that README.md shows: of a real server with the sample, in a real browser.

    python scripts/screenshots.py docs/images

It needs Playwright and Chromium, which `make extras` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
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
NOTES = ("the pump on deck two leaks", "the crew meets at noon", "the tide turns at four", "snow on the pass")
# Name, view, width and height, colour scheme.
SHOTS = (
    ("page-recall", "recall", 1440, 900, "dark"),
    ("page-past", "recall", 1440, 900, "light"),
    ("page-phone", "recall", 390, 844, "dark"),
    ("page-engine", "engine", 1440, 1180, "light"),
)
STEP = 250
# WebP shows letters and points sharply in a fifth of the bytes of PNG.
QUALITY = 85
BYTES_MAX = 300_000
# As long as the charts need to have a shape, and the lines above each view.
WATCHED_S = 60
LIVE_S = 20


async def fill(data: Path) -> None:
    """Store the sample in parts, so that there is a past to look at."""
    words = sample()
    with MemoryStore(data) as store:
        space = store.space(SPACE, dim=384, embedder="lexical")
        for start in range(0, len(words.ids), STEP):
            part = slice(start, start + STEP)
            space.observe(words.ids[part], None, words.contents[part])


async def write(url: str, step: int) -> None:
    """Observe the sample again and again, `step` words at once, and recall one of them, until this is cancelled."""
    words = sample()
    async with AsyncClient(url, space=SPACE) as client:
        for start in itertools.cycle(range(0, len(words.ids), step)):
            part = slice(start, start + step)
            await client.observe(words.ids[part], None, words.contents[part])
            await client.recall(words.contents[start], k=3)
            await asyncio.sleep(0.25 + 0.15 * math.sin(start))


async def shoot(page: Any, name: str, view: str, folder: Path) -> None:
    """Bring the page into the state that the picture shows, and save it."""
    await page.locator("input[type=search]").fill(QUESTION)
    await page.locator(".hit", has_text="score").first.wait_for()
    await asyncio.sleep(LIVE_S)
    if view == "recall":
        if name == "page-past":
            slider = page.get_by_role("slider", name="As of generation")
            for _ in range(10):
                await slider.press("PageDown")
            await page.locator(".summary", has_text=re.compile("as of generation")).wait_for()
        await page.locator(".asking-dot.is-on").wait_for(state="detached")
    else:
        await page.get_by_role("link", name="Memories").click()
        for note in NOTES:
            await page.get_by_label("What to remember").fill(note)
            await page.get_by_role("button", name="Remember", exact=True).click()
            await page.get_by_text("Durable and recallable after").wait_for()
        await page.get_by_role("link", name="Engine").click()
        await asyncio.sleep(WATCHED_S)
    await save(page, folder / f"{name}.webp")


async def save(page: Any, path: Path) -> None:
    """Save what is in sight as WebP, which Playwright itself does not offer."""
    session = await page.context.new_cdp_session(page)
    picture = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    content = base64.b64decode(picture["data"])
    if len(content) > BYTES_MAX:
        raise SystemExit(f"{path} would have {len(content)} bytes; the limit is {BYTES_MAX}")
    await asyncio.to_thread(path.write_bytes, content)
    print(path, f"({len(content) // 1000} KB)")


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
                    device_scale_factor=2 if width < 500 else 1,
                    is_mobile=width < 500,
                    color_scheme="dark" if scheme == "dark" else "light",
                    reduced_motion="reduce",
                )
                page.set_default_timeout(120_000)
                writer = asyncio.create_task(write(url, STEP if view == "engine" else 12))
                await page.goto(f"{url}/#/recall/{SPACE}")
                await shoot(page, name, view, folder)
                await page.close()
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
