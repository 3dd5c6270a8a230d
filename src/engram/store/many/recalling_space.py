"""Recalls of many cues in an embedded space."""

from __future__ import annotations

from typing import Unpack

from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hits
from engram.model.many.cue_list import CuesLike
from engram.model.many.many_query import many_query
from engram.model.query import RESULTS_DEFAULT
from engram.model.recall_options import RecallOptions
from engram.model.values.keywords import spelled_out
from engram.store.indexing.indexed_space import IndexedSpace


class RecallingSpace(IndexedSpace):
    """A space that recalls by many cues at once; a base class of `Space`."""

    @spelled_out(RecallOptions)
    def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Find the observations that match each of many cues best: what `recall` finds for each, all as of one moment.

        This costs less than as many recalls. Filters are looked up once, and the cues that ask for similarity are
        searched for together, by several threads (`StoreOptions.search_threads`). There may be any number of cues.

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
        FailedPrecondition, CorruptData
            As for `recall`.
        """
        return self._engine.answer_many(many_query(cues, k, filter, **options))
