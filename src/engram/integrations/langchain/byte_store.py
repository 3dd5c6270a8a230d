"""`EngramByteStore`: LangChain's key-value store on a space of Engram."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence, Sized
from datetime import timedelta
from typing import TypeVar

from langchain_core.stores import ByteStore

from engram.connection import AsyncAnyStore
from engram.errors import FailedPrecondition, InvalidInput
from engram.integrations.langchain.text_adapter import TextAdapter
from engram.integrations.store_adapter import Target
from engram.model.values.scalars import as_text, shown
from engram.model.values.sequences import as_list

T = TypeVar("T")


class EngramByteStore(TextAdapter, ByteStore):
    """A key-value store whose values are durable as soon as `mset` returns.

    A key is the id of an observation, and its value, in Base64, the text. So the longest key is the longest id, and the
    longest value three quarters of the longest text; what is longer is refused, since a key that is stored as a digest
    could not be listed. Values are stored in parts of up to 10 000, each as a whole or not at all.

    Parameters
    ----------
    target
        A store of `engram.connect` or `engram.connect_async`, which stays the caller's to close; or what
        `engram.connect` takes, such as the path of a directory or the address of a server: then `close` closes it.
        Default: a store in memory. `amget` and all others that begin with an ``a`` await a store of `connect_async`,
        and do their work on threads with any other.
    space
        Name of the space, which matches ``[a-z0-9_-]{3,64}`` and has no vectors.
    ttl
        Seconds or a `timedelta` after which a value expires; None: as the space has it, which is never by default.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target, and what the methods of a space raise.

    Examples
    --------
    >>> store = EngramByteStore("memories")                                     # doctest: +SKIP
    >>> store.mset([("note-1", b"The pump leaks.")])                            # doctest: +SKIP
    >>> store.mget(["note-1", "note-2"])                                        # doctest: +SKIP
    [b'The pump leaks.', None]
    """

    def __init__(
        self,
        target: Target | AsyncAnyStore = None,
        *,
        space: str = "langchain-values",
        ttl: float | timedelta | None = None,
    ) -> None:
        super().__init__(target, space, ttl)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, None for a key that there is not.

        Raises
        ------
        InvalidInput
            If `keys` is no list of texts.
        FailedPrecondition
            If the space has a text under a key that is no value.
        """
        listed = _as_keys(keys)
        return self._values_of(listed, self._read(listed))

    async def amget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what `mget` returns."""
        listed = _as_keys(keys)
        return self._values_of(listed, await self._read_async(listed))

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store values under their keys, durable on return; the last one of a key takes the place of all others.

        Raises
        ------
        InvalidInput
            If a pair is not a text and bytes, or one of them is too long. Nothing of the pairs that are stored together
            is stored then.
        """
        self._write(_texts_of_pairs(key_value_pairs))

    async def amset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store values as `mset` does."""
        await self._write_async(_texts_of_pairs(key_value_pairs))

    def mdelete(self, keys: Sequence[str]) -> None:
        """Delete keys with their values, durable on return; unknown keys are ignored.

        Raises
        ------
        InvalidInput
            If `keys` is no list of texts.
        """
        self._delete(_as_keys(keys))

    async def amdelete(self, keys: Sequence[str]) -> None:
        """Delete keys as `mdelete` does."""
        await self._delete_async(_as_keys(keys))

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """Yield all keys, or those that begin with `prefix`, from one snapshot, whatever is written meanwhile."""
        for page in self._id_pages(prefix):
            yield from page

    async def ayield_keys(self, *, prefix: str | None = None) -> AsyncIterator[str]:
        """Yield what `yield_keys` yields."""
        async for page in self._id_pages_async(prefix):
            for key in page:
                yield key

    def _values_of(self, keys: list[str], texts: list[str | None]) -> list[bytes | None]:
        return [None if text is None else self._value(key, text) for key, text in zip(keys, texts, strict=True)]

    def _value(self, key: str, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise FailedPrecondition(
                f"space {self._name} has a text under {shown(key, with_type=False)} that is not Base64, so it is no "
                "value of a key-value store; pass a space that has nothing else",
                field="space",
                limit="texts in Base64",
                value=self._name,
            ) from None


def _listed(field: str, values: Iterable[T], example: str) -> list[T]:
    """Return any number of values as a list."""
    has_no_length = isinstance(values, Iterable) and not isinstance(values, Sized)
    return as_list(field, list(values) if has_no_length else values, example, ordered=False)


def _as_keys(keys: Iterable[str]) -> list[str]:
    return [as_text(f"keys[{row}]", key) for row, key in enumerate(_listed("keys", keys, '["note-1"]'))]


def _texts_of_pairs(pairs: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Return the text to store under each key."""
    texts: dict[str, str] = {}
    for row, pair in enumerate(_listed("key_value_pairs", pairs, '[("note-1", b"a value")]')):
        field = f"key_value_pairs[{row}]"
        is_pair = isinstance(pair, tuple | list) and len(pair) == 2
        if not is_pair or not isinstance(pair[1], bytes | bytearray | memoryview):
            raise InvalidInput(
                f'{field} is {shown(pair)}; pass a key and bytes, such as ("note-1", b"a value")',
                field=field,
                limit="a key and bytes",
                value=type(pair).__name__,
            )
        texts[as_text(field, pair[0])] = base64.b64encode(bytes(pair[1])).decode("ascii")
    return texts
