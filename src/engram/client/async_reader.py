"""The calls of a client that need no session: recall, forget, spaces, status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from engram.client.calls import Calls
from engram.client.messages.recall_encoding import (
    check_ids,
    decode_hits,
    make_query,
    recall_request,
    recall_stream_request,
)
from engram.client.status import (
    ServerStatus,
    SpaceStatus,
    UnsoundSpace,
    decode_server_status,
    decode_space,
    decode_unsound_space,
)
from engram.client.transport import RecallConnection
from engram.errors import InvalidInput, NotFound
from engram.model.cue import CueLike
from engram.model.hit import Hits
from engram.model.limits import DIMENSION_DEFAULT, RECALL_BATCH_MAX
from engram.model.query import RecallQuery
from engram.model.spaces import Metric, SpaceConfig, check_space_name
from engram.model.strength import Strength
from engram.model.times import Moment
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.recalls import RESULTS_BYTES


class AsyncReader:
    """The base class of `AsyncClient`, with the calls that need no session.

    Parameters
    ----------
    calls
        Makes the calls to the server.
    space
        Name of the memory space.
    """

    def __init__(self, calls: Calls, space: str) -> None:
        self.space = check_space_name(space)
        self._calls = calls

    async def recall(
        self,
        cue: CueLike,
        k: int = 10,
        *,
        max_generation: int | None = None,
        snapshot_time: Moment | None = None,
        ef: int | None = None,
        strength: Strength | None = None,
        include_vectors: bool = False,
        skip_damaged: bool = False,
    ) -> Hits:
        """Return the `k` observations that best match a cue, best first.

        Results that are too large for one message are fetched in batches, as by `recall_stream`, and sorted here.

        Parameters
        ----------
        cue
            A vector, a text if the space has an embedder, or a `Cue`.
        k
            Maximum number of hits, 1 to 10 000.
        max_generation
            Recall as of this generation; default: the newest.
        snapshot_time
            Recall as of this time instead: seconds since 1970, a datetime (UTC without a time zone) or another
            `Moment`.
        ef
            Breadth of the graph search; a larger value finds more of the true nearest and takes longer.
        strength
            Ranking by memory strength; None to rank by the score of the cue.
        include_vectors
            Whether to return the stored vectors, too.
        skip_damaged
            Whether to leave out observations whose stored bytes are damaged, instead of raising. The result is then
            marked as ``incomplete``.

        Returns
        -------
        Hits
            A list of `Hit`, with the ``generation`` of its snapshot and a flag ``incomplete``.

        Raises
        ------
        InvalidInput
            If an argument is invalid.
        NotFound
            If the space does not exist.
        FailedPrecondition
            If the space has no embedder for a text, or the snapshot is no longer retained.
        OverCapacity, Unavailable
            If the server stays overloaded, or cannot be reached.
        CorruptData
            If the recall needs damaged bytes, or the space could not be opened.
        """
        query = make_query(
            cue,
            k,
            max_generation=max_generation,
            snapshot_time=snapshot_time,
            ef=ef,
            strength=strength,
            skip_damaged=skip_damaged,
        )
        request = recall_request(self.space, query, include_vectors=include_vectors)
        try:
            response = await self._calls.unary(methods.RECALL, request)
        except InvalidInput as error:
            # A recall by strength reinforces its results, so a second attempt would reinforce them twice.
            if error.code != RESULTS_BYTES or strength is not None:
                raise
            return await self._recall_in_batches(query, include_vectors)
        return decode_hits(response)

    async def _recall_in_batches(self, query: RecallQuery, include_vectors: bool) -> Hits:
        timeout_ms = max(1, round(1000 * self._calls.timeout_s))
        query = replace(query, batch_size=RECALL_BATCH_MAX, timeout_ms=timeout_ms)
        hits = Hits()
        async with aclosing(self._batches(query, include_vectors)) as batches:
            async for batch in batches:
                hits += batch
                hits.generation, hits.incomplete = batch.generation, batch.incomplete
        hits.sort(key=lambda hit: -hit.score)
        return hits

    async def recall_stream(
        self,
        cue: CueLike,
        max_results: int = 100,
        batch_size: int = 10,
        *,
        max_generation: int | None = None,
        snapshot_time: Moment | None = None,
        ef: int | None = None,
        include_recent: bool = False,
        follow: bool = False,
        strength: Strength | None = None,
        timeout_ms: int | None = None,
        include_vectors: bool = False,
        skip_damaged: bool = False,
    ) -> AsyncGenerator[Hits, None]:
        """Yield hits in batches as they are found; each batch is sorted best first, and all are from one snapshot.

        Parameters
        ----------
        cue, max_generation, snapshot_time, ef, strength, include_vectors
            See `recall`.
        max_results, batch_size
            Maximum number of hits in all, up to 10 000, and per batch, up to 100.
        include_recent
            Whether batches after the first may also hold observations that are committed while the recall runs. Such
            hits are marked as ``recent``.
        follow
            Whether to wait for new observations that match after the last batch. Each of them is yielded once, in the
            order of generations, until the generator is closed or the server no longer answers. A cue with a vector or
            a text then needs a `score_min`.
        timeout_ms
            Milliseconds after which the recall fails; the time spent following does not count. None for no limit.
        skip_damaged
            Whether to leave out observations whose stored bytes are damaged, instead of raising. From the first one
            left out, each batch is marked as ``incomplete``; if there is no other batch to mark, an empty one is
            yielded.

        Yields
        ------
        Hits
            The next batch.

        Raises
        ------
        InvalidInput, NotFound, FailedPrecondition, OverCapacity, Unavailable
            As in `recall`.
        CorruptData
            If the recall needs damaged bytes. A standing recall raises this where damage may hide a match.
        """
        query = replace(
            make_query(
                cue,
                1,
                max_generation=max_generation,
                snapshot_time=snapshot_time,
                ef=ef,
                strength=strength,
                skip_damaged=skip_damaged,
            ),
            results_max=max_results,
            batch_size=batch_size,
            include_recent=include_recent,
            follow=follow,
            timeout_ms=timeout_ms,
        )
        async with aclosing(self._batches(query, include_vectors)) as batches:
            async for batch in batches:
                yield batch

    async def _batches(self, query: RecallQuery, include_vectors: bool) -> AsyncGenerator[Hits, None]:
        request = recall_stream_request(self.space, query, include_vectors=include_vectors)
        recall = self._calls.transport.recall(request)
        told = False
        try:
            while (response := await self._next(recall, query.follow)) is not None:
                if response.results or response.metadata.incomplete > told:
                    told = response.metadata.incomplete
                    yield decode_hits(response)
        finally:
            recall.cancel()

    async def _next(self, recall: RecallConnection, follow: bool) -> pb.StreamingRecallResponse | None:
        if not follow:
            async with self._calls.within("waiting for the next batch"):
                return await recall.read()
        reading = asyncio.ensure_future(recall.read())
        try:
            while not (await asyncio.wait([reading], timeout=self._calls.timeout_s))[0]:
                # Nothing may match for hours. This call detects that the server is gone.
                await self.space_status()
            return await reading
        finally:
            reading.cancel()

    async def forget(self, ids: Sequence[str]) -> int:
        """Delete observations by id; return how many existed. Unknown ids are ignored."""
        request = pb.ForgetRequest(memory_space_id=self.space, ids=check_ids(ids))
        return (await self._calls.unary(methods.FORGET, request)).forgotten

    async def create_space(
        self, name: str, dim: int | None = None, metric: Metric = "cosine", embedder: str = ""
    ) -> SpaceStatus:
        """Create a space, or return the existing one if it has the same settings.

        Parameters
        ----------
        name, dim, metric, embedder
            See `SpaceConfig`; `dim` is 768 by default.

        Raises
        ------
        InvalidInput
            If a setting is out of range.
        AlreadyExists
            If the space exists with other settings.
        """
        config = SpaceConfig(name, DIMENSION_DEFAULT if dim is None else dim, metric, embedder)
        request = pb.CreateSpaceRequest(
            memory_space_id=config.name, dimension=config.dim, metric=config.metric, embedder=config.embedder
        )
        return decode_space(await self._calls.unary(methods.CREATE_SPACE, request))

    async def spaces(self) -> list[SpaceStatus]:
        """List the spaces that can be used; `unsound_spaces` lists the others."""
        response = await self._calls.unary(methods.LIST_SPACES, pb.ListSpacesRequest())
        return [decode_space(space) for space in response.spaces]

    async def unsound_spaces(self) -> list[UnsoundSpace]:
        """List the spaces that exist but could not be opened, with the reasons."""
        response = await self._calls.unary(methods.LIST_SPACES, pb.ListSpacesRequest())
        return [decode_unsound_space(space) for space in response.unsound_spaces]

    async def space_status(self) -> SpaceStatus:
        """Return the settings and watermarks of this client's space.

        Raises
        ------
        NotFound
            If the space does not exist.
        CorruptData
            If the space exists but could not be opened.
        """
        request = pb.GetSpaceRequest(memory_space_id=self.space)
        try:
            return decode_space(await self._calls.unary(methods.GET_SPACE, request))
        except NotFound as error:
            raise NotFound(
                f"space {self.space!r} does not exist on {self._calls.transport.address}; create it with "
                f"client.create_space({self.space!r}, dim=...) or: engram spaces create {self.space} --dim N",
                code=error.code,
                field=error.field,
                value=self.space,
            ) from None

    async def status(self) -> ServerStatus:
        """Return the server's version, counters, lanes, index workers and spaces, and the damage it has found."""
        return decode_server_status(await self._calls.unary(methods.GET_STATUS, pb.GetStatusRequest()))
