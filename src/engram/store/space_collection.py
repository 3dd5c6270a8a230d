"""What one does with the observations of an embedded space without a cue: look up, scan, count, change and delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Unpack, overload

from engram.model.ack import Deletion, joined_deletion
from engram.model.batches.parts import Parts
from engram.model.filters.filter import NO_FILTER
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hit
from engram.model.operations.deletions import given_to_delete
from engram.model.operations.erasure_receipt import ErasureReceipt, joined_receipt
from engram.model.operations.requests import Delete
from engram.model.operations.scans import CountFacets, page_request
from engram.model.scans.facets import Facets
from engram.model.scans.look_ups import as_id_or_ids
from engram.model.scans.options import FACET_VALUES_DEFAULT, ScanOptions
from engram.model.scans.page import FoundHits
from engram.model.scans.scan import Scan
from engram.model.spaces import SpaceConfig
from engram.model.values.ids import as_ids
from engram.model.values.keywords import spelled_out
from engram.model.values.scalars import as_flag, as_text
from engram.store.recall.snapshot import exhausted, look_up
from engram.store.scans.deleting import delete_passing
from engram.store.scans.held_scan import HeldScan
from engram.store.updates.space_updates import SpaceUpdates

if TYPE_CHECKING:
    from engram.store.recall.space_recalls import SpaceRecalls
    from engram.store.space_engine import SpaceEngine


class SpaceCollection(SpaceUpdates):
    """The observations of an embedded space as a collection; the base class of `Space`.

    ``id in space``, ``len(space)`` and ``for hit in space`` are about what is alive now. A space is true, also while it
    is empty.

    Parameters
    ----------
    access
        The way to the inside of the space, which changes when the space rests.
    """

    @property
    def name(self) -> str:
        """Name of the space."""
        return self._access.config.name

    @property
    def config(self) -> SpaceConfig:
        """Settings of the space."""
        engine = self._access.open_engine
        return self._access.config if engine is None else engine.config

    @property
    def _engine(self) -> SpaceEngine:
        return self._access.engine()

    @property
    def _is_over(self) -> bool:
        """Whether the space has been dropped or renamed, and this is of no more use."""
        return self._access.life.is_over

    def __len__(self) -> int:
        engine = self._engine
        engine.check_process()
        return engine.live_count

    def __bool__(self) -> bool:
        return True

    def __contains__(self, id: str) -> bool:
        return self._engine.get(as_text("id", id)) is not None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.scan())

    @overload
    def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    def get(
        self, id: Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> FoundHits: ...

    def get(
        self, id: str | Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or for many ids a list of these, in the order of the ids.

        Parameters
        ----------
        id
            The id, or a list of any number of ids, which are all looked up at one generation.
        max_generation
            Return the version that was alive at this generation; None: the newest. If the id changed since, this
            searches the log.
        include_vectors
            Whether the hit has its vector. The hit of an embedded store always has it, and reads it on access.

        Raises
        ------
        InvalidInput
            If an id is not a text, `include_vectors` is no truth value, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        Unavailable
            With code ``erased``, if something of it is erased meanwhile. Asked again, the answer is without it.
        """
        wanted = as_id_or_ids(id)
        as_flag("include_vectors", include_vectors)
        if isinstance(wanted, str):
            return self._engine.get(wanted, max_generation)
        with self._access.held() as engine:
            return look_up(engine.present(max_generation), wanted)

    @spelled_out(ScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> Scan:
        """Return an iterator over everything that passes a filter, from one snapshot, however much it is.

        Parameters
        ----------
        filter
            Conditions that every observation meets; None: everything.
        **options
            See `ScanOptions`.

        Returns
        -------
        Scan
            An iterator over `Hit`, whose ``pages()`` has the pages with their cursors.

        Raises
        ------
        InvalidInput
            If an argument is refused, at once; a cursor of another scan, and a generation that is yet to come, when the
            first page is read.
        FailedPrecondition
            During iteration: if the generation is no longer retained, or the space was restored since.
        Unavailable
            During iteration: with code ``erased``, if something of a page is erased while it is read. Asked again, the
            scan goes on without it.
        CorruptData
            During iteration: if what the order goes by is damaged. A hit raises it, too, if its own text or another of
            its columns is damaged.
        """
        return Scan(HeldScan(self._access), page_request(self._access.config.name, filter, options))

    def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter, how often, and the least and greatest.

        Parameters
        ----------
        keys
            Keys of the metadata at their top level, or one key.
        filter
            Conditions that every observation meets; None: everything.
        fields
            Any of ``"tags"``, ``"time_us"``, ``"confidence"``, ``"importance"`` and ``"keys"``: which keys there are.
        limit
            Most values of each, 1 to 10 000, the most frequent ones.
        max_generation
            Count what was alive at this generation; None: what is alive now.

        Returns
        -------
        Facets
            A dictionary with a `Facet` for each of `keys` and `fields`, and the ``count`` of what passes the filter.

        Raises
        ------
        InvalidInput
            If an argument is refused, or there are more than a million different values (code ``facet_values``).
        FailedPrecondition
            If the generation is no longer retained.
        Unavailable
            With code ``erased``, if something of it is erased meanwhile. Asked again, the answer is without it.
        CorruptData
            If what is counted is damaged.
        """
        name = self._access.config.name
        request = CountFacets(name, keys, fields, as_filter(filter), limit, max_generation)  # type: ignore[arg-type]
        with self._access.held() as engine:
            snapshot = engine.present(request.max_generation)
            return exhausted(engine.facets(request, snapshot.generation))

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: FilterLike | None = None,
        max_generation: int | None = None,
        dry_run: bool = False,
    ) -> Deletion:
        """Delete observations durably, by ids or by a filter. Unknown ids are ignored.

        By a filter, what passes it as of one generation is deleted; what is written later stays. It is deleted in parts
        of up to 10 000, as more ids are: if it cannot be finished, a second call deletes the rest.

        Parameters
        ----------
        ids
            Any number of ids.
        filter
            Conditions, at least one, that each observation meets. `clear` deletes everything.
        max_generation
            Apply the filter as of this generation; None: the newest.
        dry_run
            Whether to delete nothing, and only count.

        Returns
        -------
        Deletion
            As a number, how many observations are deleted.

        Raises
        ------
        InvalidInput
            If an id is not a text; if `filter` has no conditions (code ``empty_filter``).
        FailedPrecondition
            If the generation is no longer retained, or the store is closed.
        OverCapacity, Unavailable
            As for `observe`.
        CorruptData
            By a filter: if there are ids that cannot be read. Everything else is deleted.
        """
        given = given_to_delete(ids, filter)
        if filter is not None:
            request = Delete(self.name, **given, max_generation=max_generation, dry_run=dry_run)
            with self._access.held() as engine:
                return delete_passing(engine, given["filter"], request.max_generation, request.dry_run)
        named: list[str] = given["ids"]
        # No ids are one part, too.
        parts = Parts(len(named) or 1)
        deletions: list[Deletion] = []
        for part in parts:
            with parts.storing(part):
                request = Delete(self.name, named[part], max_generation=max_generation, dry_run=dry_run)
                with self._access.held() as engine:
                    if request.dry_run:
                        return existing(engine, named)
                    deletions.append(_deleted(engine, named[part]))
        return joined_deletion(deletions)

    def erase(self, ids: Iterable[str]) -> ErasureReceipt:
        """Delete observations, and remove all that was ever written under their ids from every file of the space.

        Older versions and what was deleted before are erased, too. Retention does not protect them: snapshots, streams
        and cursors lose them. Segments of the log that have something of them are rewritten, which takes as long as
        that takes. What is written under the same ids afterwards stays. Backups from before keep what they have.

        Parameters
        ----------
        ids
            Any number of ids. What cannot be found is not an error. More than 10 000 are erased in parts of so many.

        Returns
        -------
        ErasureReceipt
            What says that it was done; ``engram verify --receipt`` compares a directory with it.

        Raises
        ------
        InvalidInput
            If an id is not a text.
        FailedPrecondition
            If Engram 0.1 wrote a part of the log (code ``old_format``), or the store is closed.
        CorruptData
            If something cannot be read that might have to be erased.
        OverCapacity, Unavailable
            As for `observe`. What could not be finished goes on by itself, and a second call waits for that; what could
            not even be noted is deleted and not erased, as the error says then.
        """
        given = as_ids(ids)
        parts = Parts(len(given) or 1)
        receipts: list[ErasureReceipt] = []
        for part in parts:
            with parts.storing(part), self._access.held() as engine:
                receipts.append(engine.erase(given[part]))
        return joined_receipt(receipts)

    def clear(self) -> Deletion:
        """Delete all observations durably, in parts. What is written meanwhile stays.

        Returns
        -------
        Deletion
            As a number, how many observations are deleted.

        Raises
        ------
        FailedPrecondition, OverCapacity, Unavailable, CorruptData
            As for `delete`.
        """
        with self._access.held() as engine:
            return delete_passing(engine, NO_FILTER, None)


def existing(engine: SpaceRecalls, ids: Iterable[str]) -> Deletion:
    """Return what the deletion of `ids` would answer, without deleting anything."""
    found = look_up(engine.present(), list(dict.fromkeys(ids)))
    return Deletion(len(found) - found.count(None), found.generation)


def _deleted(engine: SpaceEngine, ids: list[str]) -> Deletion:
    result = engine.delete(ids)
    return Deletion(result.existed, result.last_generation or engine.generation)
