"""``drop_space``, ``rename_space``, ``set_alias``, ``drop_alias`` and ``aliases``: the names of the spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engram.errors import NotFound
from engram.model.operations.naming import (
    AliasChanged,
    AliasList,
    DropAlias,
    DropSpace,
    ListAliases,
    RenameSpace,
    SetAlias,
    SpaceDropped,
    SpaceRenamed,
)
from engram.model.operations.naming_errors import without_advice
from engram.server.engine import Engine

R = TypeVar("R")
T = TypeVar("T")


async def drop_space(engine: Engine, request: DropSpace, encode: Callable[[SpaceDropped], T]) -> T:
    """Drop a space with all that is in it, and its aliases."""
    dropped = await _in_thread(engine, lambda: engine.store.naming.drop(request.space))
    engine.counters.observations.forget(request.space)
    return encode(dropped)


async def rename_space(engine: Engine, request: RenameSpace, encode: Callable[[SpaceRenamed], T]) -> T:
    """Give a space another name."""
    await _in_thread(engine, lambda: engine.store.naming.rename(request.space, request.new))
    engine.counters.observations.forget(request.space)
    return encode(SpaceRenamed(request.space, request.new))


async def set_alias(engine: Engine, request: SetAlias, encode: Callable[[AliasChanged], T]) -> T:
    """Let a name mean a space from now on."""
    space = await _in_thread(engine, lambda: engine.store.naming.alias(request.space, request.to))
    return encode(AliasChanged(request.space, space))


async def drop_alias(engine: Engine, request: DropAlias, encode: Callable[[AliasChanged], T]) -> T:
    """Drop an alias. Its space stays as it is."""
    space = await _in_thread(engine, lambda: engine.store.naming.drop_alias(request.space))
    return encode(AliasChanged(request.space, space))


async def list_aliases(engine: Engine, request: ListAliases, encode: Callable[[AliasList], T]) -> T:
    """Name the aliases of all spaces."""
    return encode(AliasList(engine.store.naming.aliases))


async def _in_thread(engine: Engine, change: Callable[[], R]) -> R:
    """Make a change, which waits for the disk. Names that it tells are told only where everybody may know them."""
    try:
        return await engine.in_thread(change)
    except NotFound as error:
        if engine.tells_names:
            raise
        raise without_advice(error) from None
