"""A `MemoryStore` for coroutines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engram.connection.async_space import AsyncSpace
from engram.model.operations.naming import SpaceDropped
from engram.model.spaces import DEFAULT_SPACE, Metric, Vectors
from engram.model.values.expiry import Ttl
from engram.store import MemoryStore, Space


class AsyncMemoryStore:
    """The spaces of a `MemoryStore`, whose methods run on threads. Made by `connect_async`.

    Parameters
    ----------
    store
        The store, which is closed with this one.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.blocking: Final = store
        self._spaces: dict[Space, AsyncSpace] = {}

    def __repr__(self) -> str:
        return f"Async{self.blocking!r}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def path(self) -> Path | None:
        """Data directory; None for a store without one."""
        return self.blocking.path

    async def space(
        self,
        name: str = DEFAULT_SPACE,
        dim: int | None = None,
        metric: Metric | None = None,
        embedder: str | None = None,
        create: bool | None = None,
        *,
        vectors: Vectors | None = None,
        ttl: Ttl | None = None,
    ) -> AsyncSpace:
        """Return the space called `name`; with a setting, it is created if there is none. See `MemoryStore.space`."""
        found = asyncio.to_thread(self.blocking.space, name, dim, metric, embedder, create, vectors=vectors, ttl=ttl)
        return self._face(await found)

    async def spaces(self) -> list[AsyncSpace]:
        """Return all open spaces in the order of their names."""
        return [self._face(space) for space in await asyncio.to_thread(self.blocking.spaces)]

    async def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it. See `MemoryStore.drop`."""
        dropped = await asyncio.to_thread(self.blocking.drop, name)
        self._forget_ended()
        return dropped

    async def rename(self, old: str, new: str) -> None:
        """Give a space another name. See `MemoryStore.rename`."""
        await asyncio.to_thread(self.blocking.rename, old, new)
        self._forget_ended()

    async def alias(self, name: str, space: str) -> None:
        """Let a name mean a space from now on. See `MemoryStore.alias`."""
        await asyncio.to_thread(self.blocking.alias, name, space)

    async def aliases(self) -> dict[str, str]:
        """Return the space that each alias means. See `MemoryStore.aliases`."""
        return await asyncio.to_thread(self.blocking.aliases)

    async def drop_alias(self, name: str) -> None:
        """Drop an alias. See `MemoryStore.drop_alias`."""
        await asyncio.to_thread(self.blocking.drop_alias, name)

    async def close(self) -> None:
        """Close the store. See `MemoryStore.close`."""
        await asyncio.to_thread(self.blocking.close)

    def _forget_ended(self) -> None:
        """Keep no space in memory that has been dropped or renamed."""
        for space in [one for one in self._spaces if one._is_over]:
            del self._spaces[space]

    def _face(self, space: Space) -> AsyncSpace:
        return self._spaces.setdefault(space, AsyncSpace(space))
