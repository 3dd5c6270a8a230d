"""`connect` and `connect_async`: one way to open a store, wherever it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from engram.connection.async_remote_store import AsyncRemoteStore
from engram.connection.remote_store import TIMEOUT_S, RemoteStore
from engram.connection.target import check_of_server, is_server

if TYPE_CHECKING:
    from engram.client import AsyncClient, Client
    from engram.connection.async_memory_store import AsyncMemoryStore
    from engram.connection.async_space import AsyncSpace
    from engram.store import MemoryStore, Space

AnyStore: TypeAlias = "MemoryStore | RemoteStore"
"""A store, wherever it is."""

AsyncAnyStore: TypeAlias = "AsyncMemoryStore | AsyncRemoteStore"
"""A store, wherever it is, for coroutines."""

AnySpace: TypeAlias = "Space | Client"
"""A space, wherever its store is."""

AsyncAnySpace: TypeAlias = "AsyncSpace | AsyncClient"
"""A space, wherever its store is, for coroutines."""


def connect(
    target: str | os.PathLike[str] | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> AnyStore:
    """Open a store: a directory in this process, or a server; its spaces have the same methods.

    Parameters
    ----------
    target
        The address of a server (``ws://host:port``, ``http://host:port`` or ``grpc://host:port``; ``wss`` and
        ``https`` with TLS), or the path of a data directory, created if it does not exist. None: a store in memory that
        ends with the process.
    metadata, timeout_s
        For a server: see `AsyncClient`. Default: nothing, and 10 s.

    Returns
    -------
    MemoryStore | RemoteStore
        Has ``space(name, dim, metric, embedder, create)``, ``spaces()`` and ``close()``, and closes at the end of a
        ``with`` block.

    Raises
    ------
    InvalidInput
        If the target or another argument is invalid. ``host:port`` without a scheme is refused, because it may be a
        server or a directory.
    MissingExtra
        If the packages for a server are not installed.
    StoreLocked, NewerFormat, Unavailable
        If the directory cannot be opened; see `MemoryStore`. A server is connected at the first call.

    Examples
    --------
    >>> with connect("notes.db") as store:                             # doctest: +SKIP
    ...     space = store.space("notes", dim=384)
    ...     space.observe("note-1", vector, "the pump leaks")
    ...     hits = space.recall(vector, k=5)
    """
    if is_server(target):
        return RemoteStore(cast(str, target), metadata, TIMEOUT_S if timeout_s is None else timeout_s)
    check_of_server(metadata, timeout_s)
    # Imported here, so that a program that only talks to a server does without the engine.
    from engram.store import MemoryStore  # noqa: PLC0415

    return MemoryStore(target)


async def connect_async(
    target: str | os.PathLike[str] | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> AsyncAnyStore:
    """Open a store for coroutines; the arguments and errors are those of `connect`.

    Returns
    -------
    AsyncMemoryStore | AsyncRemoteStore
        Has the same methods as that of `connect`, as coroutines.

    Examples
    --------
    >>> async with await connect_async("ws://localhost:7432") as store:    # doctest: +SKIP
    ...     space = await store.space("notes", dim=384)
    ...     await space.observe("note-1", vector, "the pump leaks")
    ...     hits = await space.recall(vector, k=5)
    """
    if is_server(target):
        return AsyncRemoteStore(cast(str, target), metadata, TIMEOUT_S if timeout_s is None else timeout_s)
    check_of_server(metadata, timeout_s)
    # Imported here for the same reason as in `connect`.
    from engram.connection.async_memory_store import AsyncMemoryStore  # noqa: PLC0415
    from engram.store import MemoryStore  # noqa: PLC0415

    return AsyncMemoryStore(await asyncio.to_thread(MemoryStore, target))
