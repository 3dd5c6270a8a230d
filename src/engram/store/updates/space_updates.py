"""The updates of an embedded space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from numpy.typing import ArrayLike

from engram.model.ack import Ack, joined_ack
from engram.model.arguments import one_or_many_existing
from engram.model.batches.parts import Parts
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.operations.changes import check_all_changes, take_changes
from engram.model.operations.updates import Update
from engram.store.updates.updating import update

if TYPE_CHECKING:
    from engram.store.resting.space_access import SpaceAccess


class SpaceUpdates:
    """The updates of an embedded space; a base class of `Space`.

    Parameters
    ----------
    access
        The way to the inside of the space, which changes when the space rests.
    """

    def __init__(self, access: SpaceAccess) -> None:
        self._access = access

    @overload
    def update(
        self,
        id: str,
        vector: ArrayLike | None = None,
        content: str | None = None,
        *,
        merge: bool = True,
        **fields: Unpack[ObservationFields],
    ) -> Ack: ...

    @overload
    def update(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        *,
        merge: bool = True,
        **columns: Unpack[ObservationColumns],
    ) -> Ack: ...

    @one_or_many_existing
    def update(self, *arguments: Any, merge: bool = True, **keywords: Any) -> Ack:
        """Change fields of observations that exist; when this returns, that is durable and recallable.

        The arguments are those of `observe`, at least one beside the ids. What is not named, or None, stays as it is;
        but ``expires_at=None`` has the observations never expire.
        New texts are embedded again in a space with an embedder, unless there are new vectors, too; in any other space
        the vectors stay. Up to 10 000 observations of up to 32 MiB, with what stays, are all changed or none, each into
        a new version. More are changed in parts of that size, in their order; if a part fails, the `stored_count` of
        the error says how many, from the first on, are changed all the same. What others write meanwhile is not lost:
        the update is made of the version that it supersedes.

        Parameters
        ----------
        ids
            The id of one observation, or any number of ids, each once.
        vectors, contents
            New vectors and texts, one for each id.
        merge
            Whether the keys of ``metadata`` join those that are there: a key takes the place of one of the same name,
            None removes it, and others stay. Otherwise the metadata are replaced as a whole.
        **columns
            ``timestamp``, ``confidence``, ``importance``, ``metadata`` and ``tags`` for one, or ``timestamps``,
            ``confidences``, ``importances``, ``metadata`` and ``tags`` for many; ``expires_at`` or ``ttl`` for both;
            see `ObservationColumns`. Tags are replaced.

        Returns
        -------
        Ack
            As a number, the generation of the last new version. The new versions follow each other in the order of the
            ids.

        Raises
        ------
        NotFound
            With code ``missing_ids``, if an id does not exist; the error names the first one.
        InvalidInput
            If a column is refused, an id occurs twice (code ``duplicate_id``), or nothing is named to change.
        FailedPrecondition
            If the embedder fails, or the store is closed.
        CorruptData
            If something that stays cannot be read.
        OverCapacity
            As for `observe`; with code ``contended``, if others changed the observations each time that they were about
            to be updated.
        Unavailable
            As for `observe`.
        """
        changes = take_changes(arguments, keywords)
        check_all_changes(changes)
        # No rows are one part, which is refused.
        parts = Parts(len(changes) or 1)
        acks: list[Ack] = []
        for part in parts:
            with parts.storing(part):
                request = Update(self._access.config.name, changes.part(part), merge=merge)
                with self._access.held() as engine:
                    acks.append(update(engine, request.changes, merge=request.merge).ack)
        return joined_ack(acks)
