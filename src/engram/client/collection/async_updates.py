"""The writes of a client that are calls of their own: observations with conditions, and updates."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Unpack, overload

from numpy.typing import ArrayLike

from engram.client.calls import Calls
from engram.model.ack import Ack, joined_ack
from engram.model.arguments import ManyObservations, OneObservation, one_or_many_existing
from engram.model.batches.parts import Parts
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.operations.changes import check_all_changes, take_changes
from engram.model.operations.conditions import Expected, expected_of
from engram.model.operations.requests import DescribeSpace, Observe
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_embeddable


class AsyncUpdates:
    """The updates of an `AsyncClient`, and what it observes on conditions; a base class of it.

    Parameters
    ----------
    calls
        Makes the calls to the server.
    space
        Name of the memory space.
    """

    _priority: Priority = Priority.NORMAL

    def __init__(self, calls: Calls, space: str) -> None:
        self.space: str = space
        self._calls = calls
        # Of the settings, only the time to live may change, for which nothing here asks.
        self._config: SpaceConfig | None = None

    @overload
    async def update(
        self,
        id: str,
        vector: ArrayLike | None = None,
        content: str | None = None,
        *,
        merge: bool = True,
        **fields: Unpack[ObservationFields],
    ) -> Ack: ...

    @overload
    async def update(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        *,
        merge: bool = True,
        **columns: Unpack[ObservationColumns],
    ) -> Ack: ...

    @one_or_many_existing
    async def update(self, *arguments: Any, merge: bool = True, **keywords: Any) -> Ack:
        """Change fields of observations that exist; when this returns, that is durable and recallable.

        The server does it in one call, or in one for each part if there are very many: it reads what stays, so that
        nothing has to be sent but what changes, and what others write meanwhile is not lost. It goes beside the
        session: what was submitted before and is not answered yet may be stored after it.

        Parameters
        ----------
        ids, vectors, contents, merge, **columns
            See `Space.update`.

        Returns
        -------
        Ack
            As a number, the generation of the last new version.

        Raises
        ------
        NotFound
            If the space does not exist; with code ``missing_ids``, if an id does not exist.
        InvalidInput
            If a column is refused, an id occurs twice (code ``duplicate_id``), or nothing is named to change.
        FailedPrecondition
            If the embedder fails.
        CorruptData
            If something that stays cannot be read.
        OverCapacity, Unavailable
            If the server stays overloaded, or cannot be reached; with code ``contended``, if others changed the
            observations each time that they were about to be updated. With code ``call_timeout``, it may be done.
        """
        changes = take_changes(arguments, keywords)
        check_all_changes(changes)
        # No rows are one part, which is refused.
        parts = Parts(len(changes) or 1)
        acks: list[Ack] = []
        for part in parts:
            with parts.storing(part):
                # With a key, an update that is sent again because its answer was lost is not made a second time.
                key = secrets.token_hex(16)
                request = Update(self.space, changes.part(part), self._priority, merge, key)
                acks.append(await self._calls.unary(request))
        return joined_ack(acks)

    async def _observe_if(
        self, observed: OneObservation | ManyObservations, if_absent: object, expected_generations: Expected
    ) -> Ack:
        """Store observations if the conditions hold."""
        if self._config is None:
            self._config = (await self._calls.unary(DescribeSpace(self.space))).config
        batch = check_embeddable(observed.batch(self._config), self._config)
        expected = expected_of(batch.ids, if_absent, expected_generations)
        # Without a key, a write whose answer was lost would find its own version when it is sent again.
        request = Observe(self.space, batch, self._priority, secrets.token_hex(16), expected)
        ack = await self._calls.unary(request)
        return ack.with_ids(observed.made_ids)
