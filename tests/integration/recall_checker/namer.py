"""Who drops, re-creates, renames and aliases spaces while others use them."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any, Final

from engram.errors import EngramError
from engram.model.operations.naming_errors import GONE
from engram.model.spaces import DEFAULT_SPACE
from tests.integration.recall_checker.content import CUES, IDS
from tests.integration.recall_checker.life import Life
from tests.integration.recall_checker.meanings import Meaning
from tests.integration.recall_checker.run import Run
from tests.integration.recall_checker.settling import settle
from tests.integration.server_process import DIM

_SLOTS: Final = 2


class Namer:
    """Keeps two spaces, each under one of two names, and an alias that means either.

    Parameters
    ----------
    run
        The run.
    prefix
        Begins all names.

    Attributes
    ----------
    slots
        The proper names of the two spaces that there are now, or are just being changed.
    """

    def __init__(self, run: Run, prefix: str) -> None:
        self._run = run
        self._names = run.history.names
        self._pairs = [(f"{prefix}-{slot}-a", f"{prefix}-{slot}-b") for slot in range(_SLOTS)]
        self._alias = f"{prefix}-now"
        self.slots: list[Meaning] = []

    async def begin(self) -> None:
        """Create the spaces, and set the alias."""
        await self._run.reach([DEFAULT_SPACE, self._alias, *chain(*self._pairs)])
        for first, _ in self._pairs:
            self.slots.append(await self._create(first))
        await self._move_alias()

    async def change(self) -> None:
        """Change a name, beside others that wait for their turn."""
        async with self._run.naming:
            await self._run.random.choice((self._drop, self._rename, self._move_alias))()

    async def _drop(self) -> None:
        """Drop a space, while writes to it are under way, and create another one of its name."""
        slot = self._run.random.randrange(_SLOTS)
        name, life = self.slots[slot].name, self.slots[slot].life
        async with self._run.gate.alone():
            life.is_doomed = True
            await settle(life, self._client(name))
            life.sealed = life.settled
            ended = self._begin_end(life)
            async with asyncio.TaskGroup() as calls:
                calls.create_task(self._doomed(self._client(name).observe(["doomed"], CUES[:1], if_absent=True)))
                calls.create_task(self._doomed(self._client(name).delete(IDS[:20])))
                await self._client(DEFAULT_SPACE).drop_space(name)
            self._end(ended)
            self.slots[slot] = await self._create(name)
        self._run.history.dropped += 1

    async def _rename(self) -> None:
        """Give a space its other name, which its alias follows."""
        slot = self._run.random.randrange(_SLOTS)
        old = self.slots[slot]
        new_name = next(name for name in self._pairs[slot] if name != old.name)
        async with self._run.gate.alone():
            ended = self._begin_end(old.life)
            made = [self._names.ask(new_name if each is old else each.name, old.life) for each in ended]
            await self._client(DEFAULT_SPACE).rename_space(old.name, new_name)
            self._end(ended)
            for meaning in made:
                self._names.make(meaning)
            self.slots[slot] = made[ended.index(old)]
        self._run.history.renamed += 1

    async def _move_alias(self) -> None:
        """Let the alias mean a space, in one step if it means another one."""
        target = self._run.random.choice(self.slots)
        before = [each for each in self._names.standing() if each.name == self._alias]
        if any(each.life is target.life for each in before):
            return
        async with self._run.gate.alone():
            for each in before:
                self._names.begin_end(each, handed_over=True)
            made = self._names.ask(self._alias, target.life, took_over=bool(before))
            await self._client(DEFAULT_SPACE).set_alias(self._alias, target.name)
            self._end(before)
            self._names.make(made)
        self._run.history.moved += 1

    async def _create(self, name: str) -> Meaning:
        life = Life()
        self._run.history.lives.append(life)
        meaning = self._names.ask(name, life)
        await self._client(DEFAULT_SPACE).create_space(name, DIM)
        self._names.make(meaning)
        return meaning

    async def _doomed(self, write: Any) -> None:
        """Make a write to a space that is being dropped: it is stored and goes with it, or is refused."""
        try:
            await write
        except EngramError as error:
            _check_gone(error)

    def _begin_end(self, life: Life) -> list[Meaning]:
        """Begin to end all names of a space, and return them."""
        ending = [each for each in self._names.standing() if each.life is life]
        for meaning in ending:
            self._names.begin_end(meaning)
        return ending

    def _end(self, meanings: list[Meaning]) -> None:
        for meaning in meanings:
            self._names.end(meaning)

    def _client(self, name: str) -> Any:
        return self._run.client(0, name)


def _check_gone(error: EngramError) -> None:
    assert error.code in GONE, error
