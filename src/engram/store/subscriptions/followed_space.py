"""Following an embedded space: what matches a cue as it is stored, and all that changes."""

from __future__ import annotations

from typing import Unpack

from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.following.change import Change
from engram.model.following.follow_changes import changes_request
from engram.model.following.following import Following
from engram.model.following.options import ChangeOptions, FollowOptions, follow_plan, naming_after_generation
from engram.model.hit import Hit
from engram.model.query import RESULTS_DEFAULT
from engram.model.values.keywords import spelled_out
from engram.model.waiting.timeouts import as_timeout_s_or_none
from engram.store.expiry.expiring_space import ExpiringSpace
from engram.store.subscriptions.followed_source import FollowedChanges, FollowedHits


class FollowedSpace(ExpiringSpace):
    """A space that can be followed; a base class of `Space`."""

    @spelled_out(FollowOptions)
    def follow(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[FollowOptions]) -> Following[Hit]:
        """Return what matches a cue, and then each new observation that does, as it is stored.

        What is there comes best first, and what is new in the order of generations, each once, also if it is superseded
        soon after. The iteration waits for it. A reader that is slow misses nothing.

        Parameters
        ----------
        cue
            A vector or a text in a `Cue` with a ``score_min``, which says what is similar enough; a `Cue` by words: new
            observations match that have all words of its text, whatever their rank; or a `Cue` with a filter alone.
        k
            Maximum number of hits of what is there.
        **options
            See `FollowOptions`.

        Returns
        -------
        Following
            An iterator over `Hit`, whose ``generation`` is what to pass as ``after_generation`` to go on later.

        Raises
        ------
        InvalidInput
            If an argument is refused, or the generation is yet to come.
        FailedPrecondition
            If a text is to be embedded and the space has no embedder; if the generation is no longer retained (code
            ``snapshot_expired``); if the store is closed. During iteration: if the space is dropped or renamed.
        OverCapacity
            If there are too many followers.
        CorruptData
            During iteration: where damage may hide a match. All matches before it have been returned.
        """
        plan = follow_plan(cue, k, **options)
        engine = self._engine
        engine.check_process()
        with naming_after_generation():
            stream = engine.open(plan.query)
        source = FollowedHits(stream, only_new=plan.only_new, timeout_s=plan.timeout_s)
        return Following(source, stream.generation if plan.only_new else 0)

    @spelled_out(ChangeOptions)
    def changes(self, filter: FilterLike | None = None, **options: Unpack[ChangeOptions]) -> Following[Change]:
        """Return what changes in the space: each change once, in the order of generations, as it is committed.

        Whoever applies the changes after a generation to what was there at it has what is there now. It goes by
        generations alone: what is due is there until it is removed, as in a snapshot that is held.

        Parameters
        ----------
        filter
            Only changes are told of which the new version passes it, or the one that it replaces: what does not pass
            any more is told as ``"left"``. None: all changes.
        **options
            See `ChangeOptions`.

        Returns
        -------
        Following
            An iterator over `Change`, whose ``generation`` is what to pass as ``after_generation`` to go on later.

        Raises
        ------
        InvalidInput
            If an argument is refused, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained (code ``snapshot_expired``), or the store is closed. During
            iteration: if something that would have to be told has been erased (code ``snapshot_expired``), so that one
            has to begin anew with what is there; if the space is dropped or renamed.
        OverCapacity
            If there are too many followers.
        CorruptData
            During iteration: if a change is damaged where it is stored. All changes before it have been returned. A hit
            raises it, too, if its own text or another of its columns is damaged.
        """
        request = changes_request(self.name, filter, **options)
        timeout_s = as_timeout_s_or_none(options.get("timeout_s"))
        engine = self._engine
        engine.check_process()
        stream = engine.follow_changes(request)
        return Following(FollowedChanges(stream, timeout_s), stream.generation)
