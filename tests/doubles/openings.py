"""The openings of stored spaces: who opens them, and one after the other as slowly as a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

import pytest

from engram.errors import EngramError
from engram.store.options import StoreOptions
from engram.store.resting.space_opening import SpaceOpening
from engram.store.space_engine import SpaceEngine
from tests.doubles.waiting import TIMEOUT_S

ONE: Final = StoreOptions(open_spaces_max=1, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
"""A store that has one space open at a time, and opens none by itself."""


class Openings:
    """Notes which threads open which spaces from now on. An opening waits until `let_go` is set, as it is at first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[str] = []
        self.names: list[str] = []
        self.let_go = threading.Event()
        self.let_go.set()
        self.error: EngramError | None = None
        self._begun = threading.Semaphore(0)
        self._known: Callable[[SpaceOpening, str], SpaceEngine] = SpaceOpening.known

        def known(opening: SpaceOpening, name: str) -> SpaceEngine:
            return self._open(opening, name)

        monkeypatch.setattr(SpaceOpening, "known", known)

    @property
    def are_in_place(self) -> bool:
        """Whether only the threads of a server opened spaces that are there for it."""
        return all(name.startswith("engram-opening") for name in self.threads)

    async def wait_for_one(self) -> None:
        """Return when one more opening has begun."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=TIMEOUT_S)

    def _open(self, opening: SpaceOpening, name: str) -> SpaceEngine:
        self.threads.append(threading.current_thread().name)
        self.names.append(name)
        self._begun.release()
        assert self.let_go.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error
        return self._known(opening, name)
