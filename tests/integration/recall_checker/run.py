"""What all who act in a run share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

from engram import AsyncClient
from tests.integration.recall_checker.gate import Gate
from tests.integration.recall_checker.history import History
from tests.integration.server_process import TIMEOUT_S


class Run:
    """The history, the clients, and what keeps actors from getting into each other's way.

    Parameters
    ----------
    addresses
        Where the server is, by each transport that is to be used.
    seed
        Of the actions; what runs at once still differs from run to run.

    Attributes
    ----------
    wanted
        How many recalls are to be answered.
    gate
        Writes go through it beside each other, and changes of names alone: an acknowledged write is of one space.
    naming
        Held while names change, of which there is one change at a time.
    """

    def __init__(self, addresses: Sequence[str], seed: int) -> None:
        self._addresses = tuple(addresses)
        self._clients: dict[tuple[str, str], AsyncClient] = {}
        self.seed: Final = seed
        self.random: Final = random.Random(seed)
        self.history: Final = History()
        self.gate: Final = Gate()
        self.naming: Final = asyncio.Lock()
        self.wanted = 0

    @property
    def is_over(self) -> bool:
        """Whether enough recalls are answered."""
        return len(self.history.recalled) >= self.wanted

    def client(self, number: int, name: str) -> Any:
        """The client of whoever has this number for a name; it makes single calls, which go by the name."""
        key = self._address(number), name
        if key not in self._clients:
            self._clients[key] = self.new_client(number, name)
        return self._clients[key]

    def new_client(self, number: int, name: str) -> Any:
        """A client that its caller closes."""
        return AsyncClient(self._address(number), space=name, timeout_s=TIMEOUT_S)

    async def close(self) -> None:
        """Close the clients that are shared."""
        for client in self._clients.values():
            await client.close()

    def _address(self, number: int) -> str:
        return self._addresses[number % len(self._addresses)]
