"""Take the picture of `engram top` that the guide to monitoring shows: of a real server under load.

python scripts/screenshot_top.py docs/images/top.svg
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from engram import AsyncClient
from engram.cli.live.looks import looks
from engram.cli.live.reading import LiveReading
from engram.cli.live.view import screen
from engram.client import Client
from engram.data import sample
from engram.server import ServerOptions, run_server

SPACES: Final = ("words", "notes")
BATCH: Final = 64
PAUSE_S: Final = 0.03
# The first intervals are those of clients that are about to begin.
INTERVALS: Final = 5
INTERVAL_S: Final = 2.0
WIDTH: Final = 112


async def load(url: str, space: str) -> None:
    """Observe the sample again and again, and recall words of it, until this is cancelled."""
    words = sample()
    async with AsyncClient(url, space=space) as client:
        await client.create_space(space, words.vectors.shape[1])
        for start in itertools.cycle(range(0, len(words.ids) - BATCH, BATCH)):
            part = slice(start, start + BATCH)
            await client.observe(words.ids[part], words.vectors[part], words.contents[part])
            await client.recall(words.vectors[start], k=5)
            await asyncio.sleep(PAUSE_S)


def watch(url: str) -> LiveReading:
    """Look at the server a few times, and return the last reading."""
    with Client(url) as client:
        found = looks(client.status, INTERVAL_S, clock=time.monotonic, wait=time.sleep)
        reading = next(itertools.islice(found, INTERVALS - 1, None))
    if not isinstance(reading, LiveReading):
        raise SystemExit(f"the server did not answer: {reading}")
    return reading


def picture(url: str, reading: LiveReading) -> str:
    """Return the screen as SVG. It takes the fonts of whoever looks at it, and fetches none."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen(url, reading, None))
    return re.sub(
        r"\s*@font-face \{.*?\}", "", console.export_svg(title="engram top", unique_id="top"), flags=re.DOTALL
    )


async def main(path: Path) -> None:
    """Serve, load and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        options = ServerOptions(Path(folder) / "data", port=0, http_port=0, http_ready=address.set_result)
        server = asyncio.create_task(run_server(options, stop))
        url = await address
        loads = [asyncio.create_task(load(url, space)) for space in SPACES]
        reading = await asyncio.to_thread(watch, url)
        for each in loads:
            each.cancel()
        await asyncio.gather(*loads, return_exceptions=True)
        stop.set()
        await server
    await asyncio.to_thread(path.write_text, picture(url, reading), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, help="where to save the picture")
    asyncio.run(main(parser.parse_args().path))
