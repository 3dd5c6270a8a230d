"""Recalls of many cues in a server's space, for coroutines."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Unpack

from engram.client.collection.async_collection import AsyncCollection
from engram.errors import InvalidInput
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hits
from engram.model.limits import RESULTS_MAX
from engram.model.many.cue_list import CuesLike, counted_from, of_cue
from engram.model.many.many_query import ManyQuery, many_query
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.requests import RecallMany
from engram.model.operations.results import RESULTS_BYTES
from engram.model.query import RESULTS_DEFAULT, RecallQuery
from engram.model.recall_options import RecallOptions
from engram.model.values.keywords import spelled_out

# A server takes ten times as many. A call of so many is answered well within the time of a call, also if an embedder
# has to read as many texts.
_CUES_PER_CALL: Final = 1000


class AsyncManyReader(AsyncCollection):
    """The recalls of many cues of an `AsyncClient`; a base class of it, made as an `AsyncCollection` is."""

    @spelled_out(RecallOptions)
    async def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Return what `recall` returns for each of many cues, all as of one moment, at the cost of few calls.

        A thousand cues are asked for in each call, or fewer if their hits are too large for one message. Of more than
        10 000 hits of each, those of one cue after the other are fetched, in batches. Every call has the timeout of the
        client.

        Parameters
        ----------
        cues
            A matrix of shape ``(n, dim)``, or a list of what `recall` takes: vectors, texts and `Cue` objects.
        k
            Maximum number of hits of each cue.
        filter
            Conditions that every hit meets, beside those of its cue; None: no further ones.
        **options
            See `RecallOptions`.

        Returns
        -------
        list[Hits]
            The hits of each cue, in the order of the cues; all have the same ``generation``. Of no cues, an empty list.

        Raises
        ------
        InvalidInput
            If a cue does not fit the space, which names it, such as ``cues[3]``; or as for `recall`.
        NotFound, FailedPrecondition, OverCapacity, Unavailable, CorruptData
            As for `recall`.
        """
        return await self._answer_many(many_query(cues, k, filter, **options))

    async def answer(self, query: RecallQuery) -> Hits:
        """Return the hits of `query`, as `recall` does."""
        raise NotImplementedError

    async def _answer_many(self, query: ManyQuery) -> list[Hits]:
        if query.common.k > RESULTS_MAX:
            return await self._answer_each(query)
        found: list[Hits] = []
        for start in range(0, len(query.cues) or 1, _CUES_PER_CALL):
            recalled = await self._recalled_many(query.part(start, start + _CUES_PER_CALL), start)
            found += recalled.results
            # The others are answered as of the same generation, without what the first part hid.
            query = query.at(recalled.generation, recalled.due_us)
        return found

    async def _answer_each(self, query: ManyQuery) -> list[Hits]:
        """Return what the cues find, one after the other: one answer has no room for so many hits."""
        query = await self._of_one_moment(query)
        found: list[Hits] = []
        for row in range(len(query.cues)):
            try:
                hits = await self.answer(query.alone(row))
            except InvalidInput as error:
                raise of_cue(error, row) from None
            found.append(hits)
            query = query.at(hits.generation, query.due_us)
        return found

    async def _recalled_many(self, query: ManyQuery, first: int) -> ManyRecalled:
        """Return what one call answers, or several if one message would be too large; `first` is the row of its cue."""
        try:
            return await self._calls.unary(RecallMany(self.space, query))
        except InvalidInput as error:
            if not _can_be_parted(error, query):
                raise counted_from(error, first) from None
        middle = len(query.cues) // 2
        if not middle:
            return await self._recalled_alone(query)
        half = await self._recalled_many(query.part(0, middle), first)
        rest = query.part(middle, len(query.cues)).at(half.generation, half.due_us)
        others = await self._recalled_many(rest, first + middle)
        return ManyRecalled([*half.results, *others.results], half.generation, half.due_us)

    async def _recalled_alone(self, query: ManyQuery) -> ManyRecalled:
        """Return the hits of a single cue, which are too large for one message and are fetched in batches."""
        query = await self._of_one_moment(query)
        hits = await self.answer(query.alone(0))
        return ManyRecalled([hits], hits.generation, query.due_us)

    async def _of_one_moment(self, query: ManyQuery) -> ManyQuery:
        """Return the query as of a generation, and of a time by which what is due is hidden, if it is of now.

        All parts have to agree on both. A recall of no cues tells them; one of one cue does not tell the time.
        """
        if query.common.max_generation is not None or query.common.snapshot_us is not None:
            return query
        nothing = replace(query.part(0, 0), common=replace(query.common, k=1))
        now = await self._calls.unary(RecallMany(self.space, nothing))
        return query.at(now.generation, now.due_us)


def _can_be_parted(error: InvalidInput, query: ManyQuery) -> bool:
    """Return whether what is too large to be asked or answered at once can be had in parts."""
    if error.code == RESULTS_BYTES:
        # A recall by strength reinforces its results, so a second attempt would reinforce them twice.
        return len(query.cues) > 0 and query.common.strength is None
    return error.code == "message_bytes" and len(query.cues) > 1
