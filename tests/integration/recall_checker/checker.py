"""Checks recalls the way Jepsen checks databases: act at random and at once, note every answer, then replay.

Writers observe, supersede, update and delete the same few ids, by conditions and by filters, in two spaces that are
dropped and re-created, renamed and aliased meanwhile. Some of what they write expires soon. Readers recall now and at
random generations, with and without conditions, whole, in streams they read slowly, by many cues, by scans and by ids;
followers stand. All go over several transports, and nothing is compared while it runs. Afterwards the acknowledgements,
put in the order of their generations, say what was alive in each space at each generation (`model`), the moments of the
changes of names say which space a call may have met (`meanings`), and every answer has to be exactly what follows from
that (`checks`): of now, nothing that was due; at a named generation, all that was alive then. What the retention of a
space does not cover may be refused, and nothing else (`retained`). The server is asked what it removed by itself,
because it had expired (`settling`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Final

from tests.integration.homes import over_grpc, over_http, over_websocket
from tests.integration.recall_checker.follower import Follower
from tests.integration.recall_checker.history import History
from tests.integration.recall_checker.mix import Mix
from tests.integration.recall_checker.namer import Namer
from tests.integration.recall_checker.reader import Reader
from tests.integration.recall_checker.run import Run
from tests.integration.recall_checker.settling import settle, unsettled_max
from tests.integration.recall_checker.writer import Writer
from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer

_AGAIN_S: Final = 5.0
_numbers = itertools.count(1)


class Checker:
    """Acts on spaces of a server, and notes what is answered.

    Parameters
    ----------
    addresses
        Where the server is: its address for gRPC, the one for WebSockets, and perhaps others.
    prefix
        Begins the names of the spaces, which no others have.
    seed
        Of the actions; what runs at once still differs from run to run.
    mix
        How much of what there is.
    """

    def __init__(self, addresses: Sequence[str], prefix: str, seed: int, mix: Mix) -> None:
        self._run = Run(addresses, seed, mix)
        self.namer = Namer(self._run, prefix)

    @property
    def history(self) -> History:
        """Everything that was told."""
        return self._run.history

    async def run(
        self,
        recalls: int,
        until: Callable[[], bool] = lambda: True,
        *,
        writers: int = 3,
        readers: int = 6,
        cues_followed: int = 2,
    ) -> None:
        """Make `recalls` recalls that can be compared beside writers, and more until something else is true."""
        run = self._run
        run.wanted, run.until = recalls, until
        run.unsettled_max = unsettled_max(run.mix.retention, writers)
        writing = [Writer(run, number) for number in range(writers)]
        reading = [Reader(run, self.namer, number) for number in range(readers)]
        try:
            await self.namer.begin()
            following = [
                Follower(run, self.namer, slot, cue)
                for slot in range(len(self.namer.slots))
                for cue in range(cues_followed)
            ]
            async with asyncio.TaskGroup() as standing:
                hearing = {standing.create_task(follower.follow()): follower for follower in following}
                async with asyncio.TaskGroup() as acting:
                    for writer in writing:
                        acting.create_task(writer.write())
                    for reader in reading:
                        acting.create_task(reader.read())
                await self._settle()
                await self._end(hearing, writing[0])
            await self._settle()
        finally:
            for writer in writing:
                await writer.close()
            await run.close()

    async def _end(self, hearing: dict[asyncio.Task[None], Follower], writer: Writer) -> None:
        """Let every follower hear of a last observation, which is like its cue, after all others.

        Who begins anew at that moment, because what it missed is no longer retained, hears of the next one.
        """
        async with asyncio.timeout(TIMEOUT_S):
            while hearing:
                for follower in hearing.values():
                    await writer.write_last(self.namer.slots[follower.slot], follower.cue)
                heard, _ = await asyncio.wait(hearing, timeout=_AGAIN_S, return_when=asyncio.ALL_COMPLETED)
                for task in heard:
                    del hearing[task]

    async def _settle(self) -> None:
        for meaning in self.namer.slots:
            await settle(meaning.life, self._run.client(0, meaning.name))


def checker_of(server: SocketServer, seed: int, mix: Mix | None = None) -> Checker:
    """A checker of a server that uses all its transports, and spaces that no other one uses."""
    addresses = [over_grpc(server), over_websocket(server), over_http(server)]
    return Checker(addresses, f"replay-{next(_numbers)}", seed, mix or Mix())
