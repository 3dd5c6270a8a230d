"""A server under mutated frames: a sound client is answered meanwhile, and nothing is left of the others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

from campaigns.frames.attacked import COUNTED, Server, more_objects, until
from campaigns.frames.conversation import corpus
from campaigns.frames.intruder import Tally, intrude
from campaigns.frames.witness import Witness

_AT_ONCE: Final = 12
_FRAMES_EACH: Final = 40
# What the first connections bring about stays: threads, buffers, caches.
_WARM_UP: Final = 0.1
# The observations that got through are in memory, too, and so are sessions until they expire. What one connection may
# hold is more than this.
_RSS_GROWTH_MAX: Final = 128 * 1024 * 1024


async def attack(seed: int, count: int, work: Path) -> dict[str, Any]:
    """Send `count` mutated frames to a new server over `work`; return what was sent, what came back, what is left."""
    tally, others = Tally(), corpus()
    server = await Server.start(work)
    try:
        numbers = itertools.count()

        async def intrude_until(sent_count: int) -> None:
            while sum(tally.sent.values()) < sent_count:
                await intrude(server.port, Random(f"{seed} {next(numbers)}"), _FRAMES_EACH, others, tally)

        witness = Witness(server.port)
        watching = asyncio.create_task(witness.watch())
        await until(lambda: watching.done() or witness.rounds)
        await _beside(watching, *(intrude_until(int(count * _WARM_UP)) for _ in range(_AT_ONCE)))
        before = await server.settled(await server.holds())
        rounds = witness.rounds
        await _beside(watching, *(intrude_until(count) for _ in range(_AT_ONCE)))
        after = await server.settled(before)
        await until(lambda: watching.done() or witness.rounds > rounds + 1)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    finally:
        code = await asyncio.to_thread(server.stop)
    return {
        "seed": seed,
        "frames": sum(tally.sent.values()),
        "connections": next(numbers),
        "sent": dict(tally.sent),
        "answers": dict(tally.answers),
        "errors": dict(tally.errors),
        "closes": dict(tally.closes),
        "faults": tally.faults,
        "witnessed": witness.rounds,
        "before": before,
        "after": after,
        "exit": code,
        "log": [line for line in server.log.read_text().splitlines() if "ERROR" in line or "Traceback" in line],
    }


def broken(result: Mapping[str, Any]) -> list[str]:
    """Return what the server did that no server should; nothing if it did well."""
    before, after = result["before"], result["after"]
    found = [f"fault: {fault}" for fault in result["faults"]]
    found += [f"log: {line}" for line in result["log"]]
    found += [f"{name}: {before[name]}, then {after[name]}" for name in COUNTED if after[name] > before[name]]
    found += [f"{count} more objects of {name}" for name, count in more_objects(before, after).items()]
    if after["rss"] > before["rss"] + _RSS_GROWTH_MAX:
        found.append(f"memory: {before['rss']}, then {after['rss']}")
    if result["exit"]:
        found.append(f"exit code {result['exit']}")
    return found


async def _beside(watching: asyncio.Task[None], *works: Any) -> None:
    """Do the works; raise if the witness ends meanwhile."""
    done = asyncio.gather(*works)
    waited: set[asyncio.Future[Any]] = {watching, done}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        done.cancel()
        await asyncio.gather(done, return_exceptions=True)
        watching.result()
    await done
