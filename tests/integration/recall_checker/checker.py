"""Checks recalls the way Jepsen checks databases: act at random and at once, note every answer, then replay.

Writers observe, supersede, update and delete the same few ids, by conditions and by filters, in two spaces that are
dropped and re-created, renamed and aliased meanwhile. Some of what they write expires soon. Readers recall now and at
random generations, with and without conditions, whole, in streams they read slowly, by many cues, by scans and by ids;
followers stand. All go over several transports, and nothing is compared while it runs. Afterwards the acknowledgements,
put in the order of their generations, say what was alive in each space at each generation (`model`), the moments of the
changes of names say which space a call may have met (`meanings`), and every answer has to be exactly what follows from
that (`checks`): of now, nothing that was due; at a named generation, all that was alive then. The server is asked at
the end what it removed by itself, because it had expired (`settling`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.integration.recall_checker.follower import Follower
from tests.integration.recall_checker.history import History
from tests.integration.recall_checker.namer import Namer
from tests.integration.recall_checker.reader import Reader
from tests.integration.recall_checker.run import Run
from tests.integration.recall_checker.settling import settle
from tests.integration.recall_checker.writer import Writer
from tests.integration.server_process import TIMEOUT_S


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
    """

    def __init__(self, addresses: Sequence[str], prefix: str, seed: int) -> None:
        self._run = Run(addresses, seed)
        self.namer = Namer(self._run, prefix)

    @property
    def history(self) -> History:
        """Everything that was told."""
        return self._run.history

    async def run(self, recalls: int, writers: int = 3, readers: int = 6, cues_followed: int = 2) -> None:
        """Make `recalls` recalls beside writers."""
        self._run.wanted = recalls
        writing = [Writer(self._run, number) for number in range(writers)]
        reading = [Reader(self._run, self.namer, number) for number in range(readers)]
        try:
            await self.namer.begin()
            following = [
                Follower(self._run, self.namer, slot, cue)
                for slot in range(len(self.namer.slots))
                for cue in range(cues_followed)
            ]
            async with asyncio.TaskGroup() as standing:
                heard = [standing.create_task(follower.follow()) for follower in following]
                async with asyncio.TaskGroup() as acting:
                    for writer in writing:
                        acting.create_task(writer.write())
                    for reader in reading:
                        acting.create_task(reader.read())
                # Every follower hears of the last one, which is like its cue, after all others.
                for meaning in self.namer.slots:
                    for cue in range(cues_followed):
                        await writing[0].write_last(meaning, cue)
                await asyncio.wait_for(asyncio.gather(*heard), TIMEOUT_S)
                for meaning in self.namer.slots:
                    await settle(meaning.life, self._run.client(0, meaning.name))
        finally:
            for writer in writing:
                await writer.close()
            await self._run.close()
