"""The spaces of a server as a store, for blocking code."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from engram.client import Client
from engram.client.transport_choice import choose_transport
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

TIMEOUT_S: Final = 10.0


class RemoteStore:
    """A server's spaces, with the methods of a `MemoryStore`; safe to use from several threads.

    It connects at the first call. A server that is not closed is left as an unclosed `Client` is.

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
        # What is wrong with the arguments is said now, not at the first call.
        self.address: Final = choose_transport(address, metadata).address
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s
        # One object for each space, so that the same name gives the same object.
        self._clients: dict[str, Client] = {}
        self._found: set[str] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"RemoteStore({in_short(self._address, ADDRESS_CHARACTERS_MAX)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def space(
        self,
        name: str = DEFAULT_SPACE,
        dim: int | None = None,
        metric: Metric | None = None,
        embedder: str | None = None,
        create: bool | None = None,
        *,
        vectors: Vectors | None = None,
        ttl: Ttl | None = None,
    ) -> Client:
        """Return a client for the space called `name`; with a setting, it is created if it does not exist.

        A name alone opens a space, and makes none. ``default`` is created if somebody has dropped it, unless
        `create` is False.

        Parameters
        ----------
        name, dim, metric, embedder, create, vectors, ttl
            See `MemoryStore.space`.

        Raises
        ------
        InvalidInput
            If the name or a setting is not allowed.
        NotFound
            If the space does not exist and is not to be created; the message offers the name that is most like it, if
            the spaces may be listed. If the embedder is unknown.
        AlreadyExists
            If the space exists with other settings.
        FailedPrecondition
            If the store is closed.
        Unavailable
            If the server cannot be reached.
        """
        # All arguments are checked first, even those that an existing space would ignore.
        asks = asks_for_settings(dim, metric, embedder, vectors, ttl)
        creates = may_create(name, create, asks)
        asked = asked_config(name, dim, metric, embedder, vectors, checked_ttl_s(ttl))
        client = self._client(name)
        if name in self._found and not asks:
            return client
        try:
            config = client.space_status().config
        except NotFound:
            if not creates:
                raise unknown_space(name, _known_names(client), create=create) from None
            made = client.create_space(name, asked.dim, asked.metric, asked.embedder, asked.vectors, asked.ttl_s)
            config = made.config
        check_settings_of(config, dim, metric, embedder, vectors, asked.ttl_s)
        self._found.add(config.name)
        # Whoever opens a space by an alias stays with it, whatever the alias means later.
        return client if config.name == name else self._client(config.name)

    def spaces(self) -> list[Client]:
        """Return a client for each space that can be used, in the order of their names."""
        found = sorted(status.name for status in self._client(DEFAULT_SPACE).spaces())
        self._found.update(found)
        return [self._client(name) for name in found]

    def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it. See `MemoryStore.drop`, and `Client.drop_space` for its sessions.

        Clients of it that this store has returned are closed; their calls fail with the error ``space_dropped``.
        """
        dropped = self._client(DEFAULT_SPACE).drop_space(name)
        self._end(name, space_dropped(name))
        return dropped

    def rename(self, old: str, new: str) -> None:
        """Give a space another name. See `MemoryStore.rename`, and `Client.rename_space` for its sessions.

        Clients of it that this store has returned are closed; their calls fail with the error ``space_renamed``.
        """
        self._client(DEFAULT_SPACE).rename_space(old, new)
        self._end(old, space_renamed(old, new))

    def alias(self, name: str, space: str) -> None:
        """Let a name mean a space from now on. See `MemoryStore.alias`."""
        self._client(DEFAULT_SPACE).set_alias(name, space)

    def aliases(self) -> dict[str, str]:
        """Return the space that each alias means. See `MemoryStore.aliases`."""
        return self._client(DEFAULT_SPACE).aliases()

    def drop_alias(self, name: str) -> None:
        """Drop an alias. See `MemoryStore.drop_alias`."""
        self._client(DEFAULT_SPACE).drop_alias(name)

    def close(self) -> None:
        """Close all clients that this store has returned, each as `Client.close` does. A second call does nothing."""
        self._is_closed = True
        while self._clients:
            self._clients.popitem()[1].close()

    def _end(self, name: str, error: EngramError) -> None:
        """Close the client of a space that is no more, whose calls fail with the error from now on."""
        self._found.discard(name)
        client = self._clients.pop(name, None)
        if client is not None:
            client._client._calls.end(error)
            client.close()

    def _client(self, name: str) -> Client:
        check_space_name(name)
        if self._is_closed:
            raise FailedPrecondition("the store is closed", code="closed")
        client = self._clients.get(name)
        if client is None:
            made = Client(self._address, space=name, metadata=self._metadata, timeout_s=self._timeout_s)
            # Makes one of two threads that come at the same time use the object of the other.
            client = self._clients.setdefault(name, made)
        return client


def _known_names(client: Client) -> list[str]:
    """Return the names of spaces and aliases, as far as the user may list them."""
    with contextlib.suppress(EngramError):
        return [*(status.name for status in client.spaces()), *client.aliases()]
    return []
