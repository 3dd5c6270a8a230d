"""Who follows a space: subscriptions, which are matched together against what is committed, and change feeds.

See docs/decisions/0006 and 0030.
"""

from __future__ import annotations

import itertools
import threading
from typing import Final
from weakref import WeakValueDictionary

import numpy as np

from engram.errors import CorruptData, FailedPrecondition, OverCapacity
from engram.index import CueTable
from engram.lifecycle.living import living, living_items
from engram.model.limits import FOLLOWERS_MAX
from engram.model.spaces import SpaceConfig
from engram.store.expiry.present import present_us
from engram.store.filters.selection import Unreadable, select
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.search import PreparedCue
from engram.store.space_state import SpaceState
from engram.store.subscriptions.change_stream import ChangeStream
from engram.store.subscriptions.matching import match
from engram.store.subscriptions.subscription import Subscription
from engram.store.subscriptions.word_matches import WordMatches, word_matches, words_reach

# Number of observations matched at once: enough to make the matrix product efficient, few enough to deliver matches
# soon.
_STEP: Final = 1024
_RETRY_AFTER_MS: Final = 1000


class Subscriptions:
    """The subscriptions of a space, and the generation up to which committed observations have been matched.

    Any thread may add and remove subscriptions. `advance` belongs to the matcher thread. Change feeds read the log by
    themselves, and are only told when there is something new.

    Parameters
    ----------
    config
        Settings of the space.
    state
        State of the space.
    count_max
        Maximum number of matches that may wait for one subscription.
    """

    def __init__(self, config: SpaceConfig, state: SpaceState, count_max: int) -> None:
        self._config = config
        self._state = state
        self._count_max = count_max
        self._guard = threading.Lock()
        self._keys = itertools.count(1)
        # Weak references: a standing recall that is dropped without being closed has ended, too.
        self._subscriptions: WeakValueDictionary[int, Subscription] = WeakValueDictionary()
        self._known: set[int] = set()
        self._feeds: WeakValueDictionary[int, ChangeStream] = WeakValueDictionary()
        self._table = CueTable(config.index_dim, config.metric)
        self._matched = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscriptions) + len(self._feeds)

    @property
    def cue_count(self) -> int:
        """Number of standing recalls."""
        return len(self._subscriptions)

    @property
    def matched_generation(self) -> int | None:
        """Generation up to which everything has been matched; None without subscriptions."""
        return self._matched if self._subscriptions else None

    @property
    def unread_generation(self) -> int | None:
        """Generation behind which a follower has something to take or to look up; None if none has."""
        positions = [follower.unread_generation for follower in self._present()]
        return min((position for position in positions if position is not None), default=None)

    def follow(self, prepared: PreparedCue, generation: int, left_out: LeftOut) -> Subscription:
        """Return a new subscription to the observations after `generation` that match a cue.

        Parameters
        ----------
        prepared
            The cue.
        generation
            The subscription receives observations with later generations.
        left_out
            Decides what to do about damaged observations.

        Raises
        ------
        OverCapacity
            If there are `FOLLOWERS_MAX` subscriptions already.
        FailedPrecondition
            If the store is closed, so that nothing can match any more.
        """
        subscription = Subscription(self, prepared, self._count_max, left_out)
        with self._guard:
            self._make_room()
            if not self._subscriptions:
                self._matched = self._state.index.visible_generation
            subscription.join(generation + 1, self._matched)
            key = next(self._keys)
            self._subscriptions[key] = subscription
            self._known.add(key)
            if prepared.vector is not None and prepared.cue.score_min is not None:
                self._table.add(key, prepared.vector, prepared.cue.score_min)
        return subscription

    def follow_changes(self, feed: ChangeStream) -> ChangeStream:
        """Return a change feed, which is told from now on when there is something new.

        Raises
        ------
        OverCapacity, FailedPrecondition
            As for `follow`.
        """
        with self._guard:
            self._make_room()
            self._feeds[next(self._keys)] = feed
        return feed

    def rejoin(self, subscription: Subscription, missed_from: int) -> None:
        """Let a subscription that was too slow read the log from `missed_from` on, up to what has been matched by now.

        Later matches are offered to it again.
        """
        with self._guard:
            subscription.join(missed_from, self._matched)

    def look_up(
        self, prepared: PreparedCue, first: int, last: int, damaged: list[int], unclear: list[Unreadable]
    ) -> Ranked:
        """Match one cue against the log; return the matches in the order of generations.

        Parameters
        ----------
        damaged
            Receives, ascending, the generations that cannot be compared with the cue.
        unclear
            Receives, ascending, those that match if they pass the filter, which cannot be told for damage.

        Raises
        ------
        FailedPrecondition
            If something of it has been dropped since it was committed, because the subscription was left unused.
        """
        dropped = self._state.attributes.dropped_generation
        if first <= dropped:
            raise FailedPrecondition(
                f"what was committed from generation {first} on is no longer retained; follow again",
                code="snapshot_expired",
                field="max_generation",
                limit=dropped,
                value=first - 1,
            )
        return match(self._state, self._config.metric, prepared, first, last, damaged, unclear)

    def advance(self) -> bool:
        """Match some of what became visible, offer the matches, and tell change feeds; return whether there is more."""
        with self._guard:
            self._remove_left()
            visible = self._state.index.visible_generation
            first, last = self._matched + 1, min(visible, self._matched + _STEP)
            if self._subscriptions and first <= last:
                if any(each.prepared.cue.by == "words" for each in living(self._subscriptions)):
                    last = words_reach(self._state.log, first, last)
                self._match(first, last)
            self._matched = last if self._subscriptions else visible
            is_behind = self._matched < visible
            feeds = living(self._feeds)
        for feed in feeds:
            feed.tell()
        return is_behind

    def close(self) -> None:
        """End all subscriptions and change feeds, and take no new ones."""
        with self._guard:
            self._closed = True
        for follower in self._present():
            follower.close()

    def retire(self) -> bool:
        """Take no new subscriptions, unless there are some or this is being used; return whether it is so.

        This waits for nobody: what is matched is read from the log.
        """
        if not self._guard.acquire(blocking=False):
            return False
        try:
            self._remove_left()
            if len(self):
                return False
            self._closed = True
            return True
        finally:
            self._guard.release()

    def unretire(self) -> None:
        """Take new subscriptions again: the space does not come to rest after all."""
        with self._guard:
            self._closed = False

    def _present(self) -> list[Subscription | ChangeStream]:
        # What grows cannot be listed, and any thread adds to it.
        with self._guard:
            return [*living(self._subscriptions), *living(self._feeds)]

    def _make_room(self) -> None:
        """Check that there may be one more follower. Belongs to whoever holds the guard."""
        if self._closed:
            raise FailedPrecondition("the store is closed, so there is nothing to follow", code="closed")
        self._remove_left()
        if len(self) >= FOLLOWERS_MAX:
            raise OverCapacity(
                f"{FOLLOWERS_MAX} standing recalls and change feeds follow space {self._config.name} already",
                code="too_many_followers",
                field="follow",
                limit=FOLLOWERS_MAX,
                value=FOLLOWERS_MAX + 1,
                retry_after_ms=_RETRY_AFTER_MS,
            )

    def _match(self, first: int, last: int) -> None:
        with word_matches(self._state.log, first, last) as words:
            self._offer(first, last, words)

    def _offer(self, first: int, last: int, words: WordMatches) -> None:
        similar, lost = self._similar(first, last)
        for key, subscription in living_items(self._subscriptions):
            unclear: list[int] = []
            matches = self._passing(subscription, similar.get(key, NOTHING), first, last, words, unclear)
            if lost and (found := self._first_unclear(subscription, lost)):
                unclear.append(found)
            # What its filter needs, or its vector is compared with, is damaged. It meets that in the log, and nobody
            # else does.
            until = min(unclear, default=0)
            if until:
                matches = matches.head(matches.count_before(until))
            if matches:
                subscription.offer(matches)
            if until:
                subscription.leave_to_log(until)

    def _passing(
        self,
        subscription: Subscription,
        similar: Ranked,
        first: int,
        last: int,
        words: WordMatches,
        unclear: list[int],
    ) -> Ranked:
        """Return what passes the filter of a subscription, of all observations if it has no vector.

        By words, it is what has all of them, too. `unclear` receives those of which that cannot be told, because what
        decides is damaged.
        """
        prepared, attributes = subscription.prepared, self._state.attributes
        hidden = attributes.due(present_us(), last, None, first)
        if prepared.vector is not None and ((prepared.cue.conditions.is_open and not len(hidden)) or not similar):
            return similar
        unreadable: list[Unreadable] = []
        chosen = select(attributes, prepared.cue.conditions, first, last, unclear=unreadable, hidden=hidden)
        if prepared.cue.by == "words":
            chosen = words.chosen(prepared.cue.text, chosen, unreadable)
        if prepared.vector is None:
            unclear += [generation for generation, _ in unreadable]
            return Ranked(chosen, np.ones(len(chosen), dtype=np.float32))
        if unreadable:
            unclear += np.intersect1d(similar.generations, [generation for generation, _ in unreadable]).tolist()
        return similar.where(np.isin(similar.generations, chosen))

    def _first_unclear(self, subscription: Subscription, lost: list[int]) -> int:
        """Return the first generation in `lost` that may match, judging by the codes of its vector; 0 if none may."""
        prepared = subscription.prepared
        if prepared.vector is None or prepared.cue.score_min is None:
            return 0
        alone = CueTable(self._config.index_dim, self._config.metric)
        alone.add(1, prepared.vector, prepared.cue.score_min)
        unreadable: list[Unreadable] = []
        passing = select(self._state.attributes, prepared.cue.conditions, lost[0], lost[-1], unclear=unreadable)
        may_pass = [*passing.tolist(), *(generation for generation, _ in unreadable)]
        candidates: list[int] = np.intersect1d(may_pass, lost).tolist()
        for generation in candidates:
            unclear: list[int] = []
            try:
                self._state.index.match(alone, generation, generation, unclear)
            except CorruptData:
                return generation
            if unclear:
                return generation
        return 0

    def _similar(self, first: int, last: int) -> tuple[dict[int, Ranked], list[int]]:
        """Return the similar observations, whether they pass the filter or not, by key, and those not compared.

        Both are in the order of generations. A damaged vector must not block the delivery of all other observations: it
        is reported, and only the subscriptions that it concerns deal with it.
        """
        left_out = LeftOut(self._state.log, skip=True)
        lost = left_out.generations
        try:
            keys, generations, scores = self._state.index.match(self._table, first, last, lost)
        except CorruptData:
            # Pages of the graph's checkpoint are lost, but the log has all vectors, too.
            return {}, list(range(first, last + 1))
        left_out.settle()
        # A stable sort keeps the generations of each key in order.
        order = np.argsort(keys, kind="stable")
        distinct, starts = np.unique(keys[order], return_index=True)
        matches = {}
        # Splitting an empty array yields one empty piece, hence `strict=False`.
        for key, rows in zip(distinct.tolist(), np.split(order, starts[1:]), strict=False):
            matches[key] = Ranked(generations[rows], scores[rows])
        return matches, sorted(set(lost))

    def _remove_left(self) -> None:
        for key in list(self._known):
            subscription = self._subscriptions.get(key)
            if subscription is None or subscription.closed:
                self._subscriptions.pop(key, None)
                self._known.discard(key)
                self._table.remove(key)
        for key, feed in living_items(self._feeds):
            if feed.closed:
                self._feeds.pop(key, None)
