"""Power cuts: the story is told on a simulated disk, which forgets parts of what was not synced when the power goes."""

from __future__ import annotations

import copy
import itertools
from dataclasses import asdict
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

from campaigns.compaction.examiner import QUIET, Tally, examine
from campaigns.compaction.history import History
from campaigns.compaction.story import DIM, RETENTION, SPACE, Story
from tests.doubles.faulty_storage import Fault, Faults, FaultyStorage
from tests.doubles.stores import store_on

# Steps of a life, and the share of the calls of its storage before which there is a copy of what a cut would leave.
_STEPS: Final = 150
_SHARE: Final = 0.02


class Survivor(NamedTuple):
    """What a power cut has left, and what was acknowledged before it."""

    storage: FaultyStorage
    history: History


class PowerCuts(Faults):
    """Takes copies of a storage as power cuts would leave it, before calls that are chosen at random.

    Parameters
    ----------
    storage
        The storage.
    history
        What has been acknowledged.
    random
        Chooses the calls, and what of the unsynced is left.

    Attributes
    ----------
    survivors
        The copies.
    """

    def __init__(self, storage: FaultyStorage, history: History, random: Random) -> None:
        super().__init__()
        self._storage = storage
        self._history = history
        self._random = random
        self.survivors: list[Survivor] = []

    def take(self, operation: str) -> Fault | None:
        if self._random.random() < _SHARE:
            self.cut()
        return super().take(operation)

    def cut(self) -> None:
        """Take a copy."""
        left = self._storage.after_power_loss(self._random)
        self.survivors.append(Survivor(left, copy.deepcopy(self._history)))


def cut(seed: int, cuts: int) -> dict[str, Any]:
    """Cut the power `cuts` times, and look at what is left each time; every life goes on from what one of them left.

    Returns
    -------
    dict[str, Any]
        What was done and found; ``wrong`` lists what must not be.
    """
    random, tally = Random(seed), Tally()
    left = Survivor(FaultyStorage(whole_blocks=True), History())
    done = 0
    for life in itertools.count(1):
        survivors = _live(left, life, random, tally)[: cuts - done]
        for survivor in survivors:
            opened = partial(store_on, storage=survivor.storage, options=QUIET)
            examine(opened, survivor.history, life, survivor.storage.contents, tally)
        done += len(survivors)
        if done == cuts:
            break
        left = random.choice(survivors)
    return {"cuts": cuts, "lives": life, **asdict(tally)}


def _live(left: Survivor, life: int, random: Random, tally: Tally) -> list[Survivor]:
    """Take the steps of a life; return what each cut has left. There is always one behind all steps."""
    storage, history = left
    power = PowerCuts(storage, history, random)
    storage.share(power)
    with store_on(storage=storage, options=QUIET) as store:
        space = store.space(SPACE, dim=DIM)
        space.set_retention(RETENTION)
        story = Story(space, life)
        for step in itertools.islice(story.steps(), _STEPS):
            history.begin(step)
            tally.blame(life, history.end(story.take(step)))
            tally.acknowledged += 1
        power.cut()
        return power.survivors
