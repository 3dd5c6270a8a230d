"""What all who act in a run share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import product
from typing import Any, Final

from engram import AsyncClient
from engram.client.sending.stream_options import StreamOptions
from engram.errors import EngramError, Unavailable
from engram.model.times import now_us
from tests.integration.recall_checker.gate import Gate
from tests.integration.recall_checker.history import History, Recalled, TooOld
from tests.integration.recall_checker.mix import Mix
from tests.integration.server_process import TIMEOUT_S

# A session that began anew would not be told the generations of what it had sent.
_PATIENT: Final = StreamOptions(patience_s=TIMEOUT_S, silence_s=TIMEOUT_S)


class Run:
    """The history, the clients, and what keeps actors from getting into each other's way.

    Parameters
    ----------
    addresses
        Where the server is, by each transport that is to be used.
    seed
        Of the actions; what runs at once still differs from run to run.
    mix
        How much of what there is.

    Attributes
    ----------
    wanted
        How many recalls are to be answered that can be compared.
    until
        What else has to be true before the run is over.
    unsettled_max
        How many versions may be written to a space before all spaces have to be settled; None: any number.
    gate
        Writes go through it beside each other, and changes of names alone: an acknowledged write is of one space.
    naming
        Held while names change, of which there is one change at a time.
    """

    def __init__(self, addresses: Sequence[str], seed: int, mix: Mix) -> None:
        self._addresses = tuple(addresses)
        self._clients: dict[tuple[str, str], AsyncClient] = {}
        self._comparable = 0
        self.seed: Final = seed
        self.mix: Final = mix
        self.random: Final = random.Random(seed)
        self.history: Final = History(retention=mix.retention)
        self.gate: Final = Gate()
        self.naming: Final = asyncio.Lock()
        self.wanted = 0
        self.until: Callable[[], bool] = lambda: True
        self.unsettled_max: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether enough recalls are answered, and all else is true that has to be."""
        return self._comparable >= self.wanted and self.until()

    async def reach(self, names: Iterable[str]) -> None:
        """Make the clients of all names that there will be, over each transport."""
        for address, name in product(self._addresses, names):
            self._clients[address, name] = await _reached(address, name)

    def client(self, number: int, name: str) -> Any:
        """The client of whoever has this number for a name; it makes single calls, which go by the name."""
        return self._clients[self._address(number), name]

    async def new_client(self, number: int, name: str) -> Any:
        """A client that its caller closes."""
        return await _reached(self._address(number), name)

    async def close(self) -> None:
        """Close the clients that are shared."""
        for client in self._clients.values():
            await client.close()

    def note_answer(self, recalled: Recalled) -> None:
        """Note what a recall was answered."""
        self.history.recalled.append(recalled)
        self._comparable += not self._is_dropped(recalled.name, recalled.first, recalled.last)

    def note_too_old(self, error: EngramError, name: str, first: int) -> None:
        """Note that a call by a name, begun at a moment, was refused since its generation is no longer retained."""
        last = self.history.names.moment()
        if self._is_dropped(name, first, last):
            # Nobody knows how much there was of it by then.
            self.history.turned_away += 1
            return
        refused = TooOld(name, first, last, now_us(), generation=int(error.value), oldest=int(error.limit))
        self.history.too_old.append(refused)

    def _is_dropped(self, name: str, first: int, last: int) -> bool:
        """Whether what a name meant between two moments may be a space that is being dropped."""
        return any(life.is_doomed for life in self.history.names.lives(name, first, last))

    def _address(self, number: int) -> str:
        return self._addresses[number % len(self._addresses)]


async def _reached(address: str, name: str) -> AsyncClient:
    """A client that has reached the server: until then, not every call is tried for as long as it may take."""
    client = AsyncClient(address, space=name, timeout_s=TIMEOUT_S, options=_PATIENT)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            # A busy machine may take longer to connect than a client waits for a server that may not be there.
            with suppress(Unavailable):
                await client.status()
                return client
