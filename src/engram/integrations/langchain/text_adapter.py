"""Texts under ids in a space without vectors: what the key-value store and the cache keep theirs in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from engram.connection import AnySpace, AsyncAnySpace, AsyncAnyStore
from engram.integrations.store_adapter import StoreAdapter, Target
from engram.model.filters.conditions import Condition
from engram.model.filters.fields import Own
from engram.model.hit import Hit


class TextAdapter(StoreAdapter):
    """The base class of adapters that keep texts under ids, for blocking code and for coroutines.

    Coroutines await a store of `engram.connect_async`. With any other store, they do their work on threads.

    Parameters
    ----------
    target, space
        See `StoreAdapter`. The space is made without vectors when it is used for the first time.
    ttl
        Seconds or a `timedelta` after which a text expires; None: as the space has it, which is never by default.
    """

    def __init__(self, target: Target | AsyncAnyStore, space: str, ttl: float | timedelta | None) -> None:
        super().__init__(target, space)
        self._columns: dict[str, Any] = {} if ttl is None else {"ttl": ttl}
        self._space: AnySpace | None = None
        self._async_space: AsyncAnySpace | None = None

    def _opened(self) -> AnySpace:
        if self._space is None:
            self._space = self._store.space(self._name, vectors="none")
        return self._space

    async def _async_opened(self) -> AsyncAnySpace | None:
        """Return the space for coroutines; None if the store is not for them."""
        if self._async_space is None and self._coroutines is not None:
            self._async_space = await self._coroutines.space(self._name, vectors="none")
        return self._async_space

    def _read(self, ids: Sequence[str]) -> list[str | None]:
        """Return the text under each id, None where there is none."""
        return _texts_of(self._opened().get(list(ids)))

    async def _read_async(self, ids: Sequence[str]) -> list[str | None]:
        if (space := await self._async_opened()) is None:
            return await asyncio.to_thread(self._read, ids)
        return _texts_of(await space.get(list(ids)))

    def _write(self, texts: Mapping[str, str]) -> None:
        """Store texts under their ids, durable on return."""
        if texts:
            self._opened().observe(list(texts), None, list(texts.values()), **self._columns)

    async def _write_async(self, texts: Mapping[str, str]) -> None:
        if (space := await self._async_opened()) is None:
            await asyncio.to_thread(self._write, texts)
            return
        if texts:
            await space.observe(list(texts), None, list(texts.values()), **self._columns)

    def _delete(self, ids: Sequence[str]) -> None:
        """Delete texts by their ids, durable on return; unknown ids are ignored."""
        if ids:
            self._opened().delete(ids)

    async def _delete_async(self, ids: Sequence[str]) -> None:
        if (space := await self._async_opened()) is None:
            await asyncio.to_thread(self._delete, ids)
            return
        if ids:
            await space.delete(ids)

    def _clear(self) -> None:
        """Delete all texts, durable on return."""
        self._opened().clear()

    async def _clear_async(self) -> None:
        if (space := await self._async_opened()) is None:
            await asyncio.to_thread(self._clear)
            return
        await space.clear()

    def _id_pages(self, prefix: str | None) -> Iterator[list[str]]:
        """Yield pages of the ids that begin so, from one snapshot, in the order in which their texts were stored."""
        for page in self._opened().scan(_beginning(prefix)).pages():
            yield [hit.id for hit in page]

    async def _id_pages_async(self, prefix: str | None) -> AsyncIterator[list[str]]:
        if (space := await self._async_opened()) is None:
            pages = self._id_pages(prefix)
            while (ids := await asyncio.to_thread(lambda: next(pages, None))) is not None:
                yield ids
            return
        async for page in space.scan(_beginning(prefix)).pages():
            yield [hit.id for hit in page]


def _beginning(prefix: str | None) -> Condition | None:
    return Own.id.starts_with(prefix) if prefix else None


def _texts_of(found: Sequence[Hit | None]) -> list[str | None]:
    return [None if hit is None else hit.content for hit in found]
