"""`EngramCache`: LangChain's cache of the answers of language models on a space of Engram."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation

from engram.connection import AsyncAnyStore
from engram.errors import InvalidInput
from engram.integrations.langchain.model_answers import decode_answer, encode_answer
from engram.integrations.langchain.text_adapter import TextAdapter
from engram.integrations.store_adapter import Target

_logger: Final = logging.getLogger(__name__)


class EngramCache(TextAdapter, BaseCache):
    """A cache whose answers are durable, and shared by all who have the same store.

    A prompt and the description of a model are kept as a digest alone, which is the id of an observation; the text is
    the answer in LangChain's own form of JSON. Of what is read, only generations and messages are made. What cannot be
    read counts as missing, and what is longer than a text may be is not kept; the log of the program says so.

    Parameters
    ----------
    target
        A store of `engram.connect` or `engram.connect_async`, which stays the caller's to close; or what
        `engram.connect` takes, such as the path of a directory or the address of a server: then `close` closes it.
        Default: a store in memory. `alookup`, `aupdate` and `aclear` await a store of `connect_async`, and do their
        work on threads with any other.
    space
        Name of the space, which matches ``[a-z0-9_-]{3,64}`` and has no vectors. `clear` deletes all that is in it.
    ttl
        Seconds or a `timedelta` after which an answer expires; None: as the space has it, which is never by default.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target, and what the methods of a space raise.

    Examples
    --------
    >>> from langchain_core.globals import set_llm_cache                        # doctest: +SKIP
    >>> set_llm_cache(EngramCache("memories", ttl=24 * 3600))                   # doctest: +SKIP
    """

    def __init__(
        self,
        target: Target | AsyncAnyStore = None,
        *,
        space: str = "langchain-cache",
        ttl: float | timedelta | None = None,
    ) -> None:
        super().__init__(target, space, ttl)

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Return the answer of a model to a prompt; None if there is none."""
        return _answer_of(self._read([_entry_id(prompt, llm_string)]))

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Return what `lookup` returns."""
        return _answer_of(await self._read_async([_entry_id(prompt, llm_string)]))

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Store the answer of a model to a prompt, durable on return; it takes the place of an earlier one."""
        with _leaving_out_what_is_too_long():
            self._write({_entry_id(prompt, llm_string): encode_answer(return_val)})

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Store an answer as `update` does."""
        with _leaving_out_what_is_too_long():
            await self._write_async({_entry_id(prompt, llm_string): encode_answer(return_val)})

    def clear(self, **kwargs: object) -> None:
        """Delete all answers, durable on return."""
        self._clear()

    async def aclear(self, **kwargs: object) -> None:
        """Delete all answers as `clear` does."""
        await self._clear_async()


def _entry_id(prompt: str, llm_string: str) -> str:
    """Return the id for a prompt and a model, which may be of any length; joined so that no two pairs are alike."""
    return hashlib.sha256(json.dumps([prompt, llm_string]).encode()).hexdigest()


@contextmanager
def _leaving_out_what_is_too_long() -> Iterator[None]:
    """Let a program go on whose model has answered at length: it has the answer, and only a later one costs more."""
    try:
        yield
    except InvalidInput as error:
        if error.code != "content_size":
            raise
        _logger.warning("an answer of %s bytes is not cached; a text has %s", error.value, error.limit)


def _answer_of(texts: list[str | None]) -> list[Generation] | None:
    return None if texts[0] is None else decode_answer(texts[0])
