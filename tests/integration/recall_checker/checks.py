"""Compares every answer with what the acknowledgements say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tests.integration.recall_checker.content import LAST, NEVER_US, SIMILAR, TOLERANCE
from tests.integration.recall_checker.history import History, Recalled
from tests.integration.recall_checker.life import Life
from tests.integration.recall_checker.model import Model
from tests.integration.recall_checker.retained import check_too_old


def check(history: History) -> int:
    """Fail if any answer is not what the acknowledgements say.

    Returns
    -------
    int
        How many answers are of a generation that nobody was told of, because a write got it whose space was dropped at
        the same time.
    """
    models = {life: Model(life) for life in history.lives}
    unknown = 0
    for recalled in history.recalled:
        lives = history.names.lives(recalled.name, recalled.first, recalled.last)
        problems = [_problem(partial(_check_recall, models[life], recalled, life is recalled.life)) for life in lives]
        if "" in problems:
            continue
        assert any(_is_unknown(life, recalled) for life in lives), problems
        unknown += 1
    for refused in history.too_old:
        lives = history.names.lives(refused.name, refused.first, refused.last)
        problems = [_problem(partial(check_too_old, models[life], refused, history.retention)) for life in lives]
        assert "" in problems, problems
    for life, model in models.items():
        _check_followed(life, model)
    return unknown


def _is_unknown(life: Life, recalled: Recalled) -> bool:
    """Whether an answer may be of a generation that a space got after what is known of it."""
    return life.sealed is not None and (not recalled.snapshots or max(recalled.snapshots) > life.sealed)


def _problem(compare: Callable[[], None]) -> str:
    """What a comparison finds wrong; empty if it is right."""
    try:
        compare()
    except AssertionError as error:
        return str(error)
    return ""


def _check_recall(model: Model, recalled: Recalled, is_meant: bool) -> None:
    # What was acknowledged before is known of the space that the name meant before the call.
    acked_before = recalled.acked_before if is_meant else 0
    assert len(recalled.snapshots) <= 1, f"the snapshot changed within an answer: {recalled}"
    if not recalled.snapshots:
        assert model.was_empty_since(acked_before, recalled.tag, recalled.within.answered_us), f"losses: {recalled}"
        return
    (snapshot,) = recalled.snapshots
    assert recalled.generation in (None, snapshot), f"another snapshot than was named: {recalled}"
    assert snapshot >= acked_before, f"acknowledged before, and not seen: {recalled}"
    assert snapshot <= len(model.versions), f"of a generation that nobody was given: {recalled}"
    problems = [
        _problem(partial(_check_hits, model, recalled, alive)) for alive in _may_be_seen(model, recalled, snapshot)
    ]
    assert "" in problems, problems


def _may_be_seen(model: Model, recalled: Recalled, snapshot: int) -> list[NDArray[np.int64]]:
    """What an answer may be of: what was alive, and, unless it named a generation, not due at some time of the call."""
    alive = model.alive(snapshot, recalled.tag)
    if recalled.generation is not None:
        return [alive]
    expires_us, (asked_us, answered_us) = model.expires_us[alive - 1], recalled.within
    if recalled.hides_each:
        found = np.isin(alive, [hit.generation for hit in recalled.hits])
        return [alive[(expires_us > asked_us) & (found | (expires_us > answered_us))]]
    times = np.unique(expires_us[(asked_us < expires_us) & (expires_us <= answered_us)]).tolist()
    return [alive[expires_us > time_us] for time_us in (asked_us, *times)]


def _check_hits(model: Model, recalled: Recalled, alive: NDArray[np.int64]) -> None:
    found = [hit.generation for hit in recalled.hits]
    assert len(set(found)) == len(found), f"handed out twice: {recalled}"
    assert not set(found) - set(alive.tolist()), f"phantoms: {recalled}"
    assert len(found) == min(recalled.count_max, len(alive)), f"losses: {recalled}"
    for hit in recalled.hits:
        version, facts = model.versions[hit.generation - 1], model.facts[hit.generation - 1]
        assert (version.id, facts) == (hit.id, hit.facts), f"not what was stored: {recalled}"
    if recalled.cue is None:
        assert found == sorted(found), f"out of order: {recalled}"
        return
    scores = model.scores[:, recalled.cue]
    for hit in recalled.hits:
        assert abs(scores[hit.generation - 1] - hit.score) < TOLERANCE, f"another score: {recalled}"
    # So few are compared exactly, so the best are the best.
    best = np.sort(scores[alive - 1])[::-1][: len(found)]
    ours = np.sort(scores[np.array(found, dtype=np.int64) - 1])[::-1]
    assert np.allclose(ours, best, atol=TOLERANCE), f"not the best: {recalled}"


def _check_followed(life: Life, model: Model) -> None:
    for cue, parts in life.followed.items():
        told = [generation for heard in parts for generation in heard.told if generation <= len(model.versions)]
        assert told == sorted(set(told)), f"the follower of cue {cue} heard something twice, or out of order"
        fits = model.observed & (model.scores[:, cue] >= SIMILAR)
        assert fits[np.array(told, dtype=np.int64) - 1].all(), f"the follower of cue {cue} heard something else"
        # What expires may have been due before it could be told.
        lasting = np.flatnonzero(fits & (model.expires_us == NEVER_US)) + 1
        for heard in parts:
            passed = lasting[(lasting > heard.since) & (lasting <= heard.last)]
            missed = set(passed.tolist()) - set(heard.told)
            assert not missed, f"the follower of cue {cue} did not hear of {missed}"
        if life.sealed is None:
            assert told, f"the follower of cue {cue} heard nothing"
            assert model.versions[told[-1] - 1].id == LAST, f"the follower of cue {cue} did not hear the last"
