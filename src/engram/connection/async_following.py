"""Following a `Space` of an embedded store, for coroutines."""

from __future__ import annotations

import functools
from typing import Final, Unpack

from engram.connection.threads import told_by
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.following.change import Change
from engram.model.following.follow_changes import changes_request
from engram.model.following.following import AsyncFollowing
from engram.model.following.options import ChangeOptions, FollowOptions, follow_plan
from engram.model.following.told import AwaitedSource
from engram.model.hit import Hit
from engram.model.query import RESULTS_DEFAULT
from engram.model.values.keywords import spelled_out
from engram.model.waiting.timeouts import as_timeout_s_or_none
from engram.store import Space


class AsyncFollowedSpace:
    """What coroutines follow in an embedded space; the base class of `AsyncSpace`.

    Parameters
    ----------
    space
        The space.
    """

    def __init__(self, space: Space) -> None:
        self.blocking: Final = space

    @spelled_out(FollowOptions)
    def follow(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[FollowOptions]) -> AsyncFollowing[Hit]:
        """Return what matches a cue, and then each new observation that does, as it is stored. See `Space.follow`."""
        # What is wrong with the arguments is said at once.
        plan = follow_plan(cue, k, **options)
        opening = functools.partial(self.blocking.follow, cue, k, **options)
        return AsyncFollowing(AwaitedSource(told_by(opening)), plan.generation)

    @spelled_out(ChangeOptions)
    def changes(self, filter: FilterLike | None = None, **options: Unpack[ChangeOptions]) -> AsyncFollowing[Change]:
        """Return what changes in the space, in the order of generations. See `Space.changes`."""
        request = changes_request(self.blocking.name, filter, **options)
        as_timeout_s_or_none(options.get("timeout_s"))
        opening = functools.partial(self.blocking.changes, request.filter, **options)
        return AsyncFollowing(AwaitedSource(told_by(opening)), request.after_generation or 0)
