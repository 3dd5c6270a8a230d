"""The server that is attacked, in a process of its own, and what it holds."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from campaigns.frames.intruder import TIMEOUT_S

COUNTED: Final = ("tasks", "descriptors")
"""What there must be no more of than before."""

_LOOKS_MAX: Final = 600


@dataclass
class Server:
    """A server in a process of its own, and what it holds."""

    process: subprocess.Popen[bytes]
    told: Path
    port: int
    log: Path

    @classmethod
    async def start(cls, work: Path) -> Server:
        """Start one over a store in `work`."""
        told, ports, log = work / "held.json", work / "ports", work / "server.log"
        command = [sys.executable, "-m", "campaigns.frames.served", str(told), "--data", str(work / "data")]
        with log.open("wb") as target:
            process = await asyncio.to_thread(
                subprocess.Popen,
                [*command, "--port", "0", "--http-port", "0", "--port-file", str(ports)],
                stdout=subprocess.DEVNULL,
                stderr=target,
            )
        await until(lambda: ports.exists() or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        return cls(process, told, int(ports.read_text().splitlines()[1]), log)

    async def holds(self) -> dict[str, Any]:
        """Return what it holds now."""
        self.told.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        await until(self.told.exists)
        seen = psutil.Process(self.process.pid)
        memory = {"rss": seen.memory_info().rss, "descriptors": seen.num_fds(), "threads": seen.num_threads()}
        return {**json.loads(self.told.read_text()), **memory}

    async def settled(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it holds once that is as before, or after a long time."""
        for _ in range(_LOOKS_MAX):
            now = await self.holds()
            if all(now[name] <= before[name] for name in COUNTED) and not more_objects(before, now):
                break
            await asyncio.sleep(0.1)
        return now

    def stop(self) -> int:
        """End it; return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()


def more_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
    """Return the classes of which there are more objects than before."""
    known = before["objects"]
    return {name: count - known.get(name, 0) for name, count in after["objects"].items() if count > known.get(name, 0)}


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - There is no event for that.
            await asyncio.sleep(0.01)
