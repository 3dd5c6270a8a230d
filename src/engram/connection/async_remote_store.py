"""The spaces of a server as a store, for coroutines."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from engram.client import AsyncClient
from engram.client.transport_choice import choose_transport
from engram.connection.remote_store import TIMEOUT_S
from engram.errors import EngramError, FailedPrecondition, NotFound
from engram.model.operations.naming import SpaceDropped
from engram.model.operations.naming_errors import space_dropped, space_renamed, unknown_space
from engram.model.spaces import (
    DEFAULT_SPACE,
    Metric,
    Vectors,
    asked_config,
    asks_for_settings,
    check_settings_of,
    check_space_name,
    may_create,
)
from engram.model.values.expiry import Ttl, checked_ttl_s
from engram.showing import ADDRESS_CHARACTERS_MAX, in_short


class AsyncRemoteStore:
    """A `RemoteStore` for coroutines, whose spaces are those of `AsyncClient`. Belongs to one event loop.

    Parameters
    ----------
    address, metadata, timeout_s
        See `AsyncClient`.

    Raises
    ------
    InvalidInput
        If the address or the metadata are invalid.
    """

    def __init__(self, address: str, metadata: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.address: Final = choose_transport(address, metadata).address
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s
        self._clients: dict[str, AsyncClient] = {}
        self._found: set[str] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"AsyncRemoteStore({in_short(self._address, ADDRESS_CHARACTERS_MAX)})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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
    ) -> AsyncClient:
        """Return a client for the space called `name`, which a setting creates if need be. See `RemoteStore.space`."""
        # All arguments are checked first, even those that an existing space would ignore.
        asks = asks_for_settings(dim, metric, embedder, vectors, ttl)
        creates = may_create(name, create, asks)
        asked = asked_config(name, dim, metric, embedder, vectors, checked_ttl_s(ttl))
        client = self._client(name)
        if name in self._found and not asks:
            return client
        try:
            config = (await client.space_status()).config
        except NotFound:
            if not creates:
                raise unknown_space(name, await _known_names(client), create=create) from None
            made = await client.create_space(name, asked.dim, asked.metric, asked.embedder, asked.vectors, asked.ttl_s)
            config = made.config
        check_settings_of(config, dim, metric, embedder, vectors, asked.ttl_s)
        self._found.add(config.name)
        return client if config.name == name else self._client(config.name)

    async def spaces(self) -> list[AsyncClient]:
        """Return a client for each space that can be used, in the order of their names."""
        found = sorted(status.name for status in await self._client(DEFAULT_SPACE).spaces())
        self._found.update(found)
        return [self._client(name) for name in found]

    async def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it. See `RemoteStore.drop`."""
        dropped = await self._client(DEFAULT_SPACE).drop_space(name)
        await self._end(name, space_dropped(name))
        return dropped

    async def rename(self, old: str, new: str) -> None:
        """Give a space another name. See `RemoteStore.rename`."""
        await self._client(DEFAULT_SPACE).rename_space(old, new)
        await self._end(old, space_renamed(old, new))

    async def alias(self, name: str, space: str) -> None:
        """Let a name mean a space from now on. See `RemoteStore.alias`."""
        await self._client(DEFAULT_SPACE).set_alias(name, space)

    async def aliases(self) -> dict[str, str]:
        """Return the space that each alias means. See `RemoteStore.aliases`."""
        return await self._client(DEFAULT_SPACE).aliases()

    async def drop_alias(self, name: str) -> None:
        """Drop an alias. See `RemoteStore.drop_alias`."""
        await self._client(DEFAULT_SPACE).drop_alias(name)

    async def close(self) -> None:
        """Close all clients that this store has returned. A second call does nothing."""
        self._is_closed = True
        while self._clients:
            await self._clients.popitem()[1].close()

    async def _end(self, name: str, error: EngramError) -> None:
        self._found.discard(name)
        client = self._clients.pop(name, None)
        if client is not None:
            client._calls.end(error)
            await client.close()

    def _client(self, name: str) -> AsyncClient:
        check_space_name(name)
        if self._is_closed:
            raise FailedPrecondition("the store is closed", code="closed")
        client = self._clients.get(name)
        if client is None:
            client = AsyncClient(self._address, space=name, metadata=self._metadata, timeout_s=self._timeout_s)
            self._clients[name] = client
        return client


async def _known_names(client: AsyncClient) -> list[str]:
    """Return the names of spaces and aliases, as far as the user may list them."""
    with contextlib.suppress(EngramError):
        return [*(status.name for status in await client.spaces()), *await client.aliases()]
    return []
