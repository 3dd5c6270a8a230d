"""Queries of many cues, and the queries of single cues that ask for the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue, Filter
from engram.model.filters.fields import F, Own
from engram.model.filters.filter_like import as_condition, both
from engram.model.hit import Hits
from engram.model.limits import CUES_MAX
from engram.model.many.cue_list import CueList
from engram.model.many.many_query import ManyQuery, many_query
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.requests import RecallMany
from engram.model.query import RecallQuery
from tests.unit.wire.test_recalls import make_hit

MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
RED, DEEP = Filter(tags={"red"}), F.deck >= 2


def test_what_is_asked_for_holds_for_every_cue() -> None:
    query = many_query(MATRIX, 3, None, max_generation=7, ef=9, include_vectors=True, skip_damaged=True)
    one = query.one(2)
    assert np.asarray(one.cue.vector).tolist() == [4, 5]
    assert (one.k, one.max_generation, one.ef, one.include_vectors, one.skip_damaged) == (3, 7, 9, True, True)
    assert query.include_vectors
    part = query.part(1, 3)
    assert (len(part.cues), np.asarray(part.one(0).cue.vector).tolist()) == (2, [2, 3])
    assert (part.at(9).common.max_generation, query.common.max_generation) == (9, 7)
    assert (query.due_us, part.at(9, 5).due_us, part.at(9, 5).part(0, 1).due_us) == (0, 5, 5)
    by_time = many_query(MATRIX, 3, None, snapshot_time=5).at(2).common
    assert (by_time.max_generation, by_time.snapshot_us) == (2, None)


def test_a_cue_meets_its_own_filter_and_the_common_one() -> None:
    cues = [Cue(text="a", by="words"), Cue(text="b", filter=DEEP), Cue(text="c", filter=RED)]
    without, with_both, twice = (many_query(cues, 3, RED).one(row).cue for row in range(3))
    assert (without.conditions, without.text, without.by) == (RED, "a", "words")
    assert with_both.conditions == both(DEEP, RED)
    assert as_condition(with_both.conditions) == as_condition(DEEP & as_condition(RED))
    assert twice.text == "c"
    query = many_query(cues, 3, None)
    assert [query.one(row).cue for row in range(3)] == cues


def test_a_cue_alone_hides_what_was_due() -> None:
    query = many_query([Cue(text="a", filter=RED), "b"], 3, None)
    assert query.alone(0).cue == query.one(0).cue
    hidden = ~(Own.expires_at <= "1970-01-01T00:00:05Z")
    first, second = (query.at(9, 5_000_000).alone(row) for row in range(2))
    assert (first.cue.text, first.cue.conditions, first.max_generation) == ("a", both(RED, hidden), 9)
    assert (second.cue.text, second.cue.conditions, second.k) == ("b", hidden, 3)


def test_an_open_filter_changes_nothing() -> None:
    for filter in (RED, DEEP):
        assert both(filter, Filter()) is filter
        assert both(Filter(), filter) is filter


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"k": 0}, "invalid_k"),
        ({"k": True}, "invalid_k"),
        ({"k": 2**31}, "invalid_k"),
        ({"filter": "red"}, "invalid_filter"),
        ({"ef": 0}, "invalid_ef"),
        ({"max_generation": -1}, "invalid_max_generation"),
        ({"max_generation": 1, "snapshot_time": 1}, "invalid_recall"),
        ({"strength": True}, "invalid_recall"),
    ],
)
def test_what_is_wrong_for_one_cue_is_wrong_for_many(arguments: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {"k": 3, "filter": None, **arguments}
    with pytest.raises(InvalidInput) as refused:
        many_query(MATRIX, **given)
    assert refused.value.code == code


def test_a_request_has_a_limit_of_cues() -> None:
    common = RecallQuery(Cue())
    assert RecallMany("notes", ManyQuery(CueList(np.ones((CUES_MAX, 1), np.float32)), common)).space_name == "notes"
    for cues in (CueList(np.ones((CUES_MAX + 1, 1), np.float32)), CueList(listed=[Cue(text="x")] * (CUES_MAX + 1))):
        with pytest.raises(InvalidInput) as refused:
            RecallMany("notes", ManyQuery(cues, common))
        assert (refused.value.code, refused.value.field) == ("cues_count", "cues")


def test_all_hits_are_those_of_the_first_cue_and_then_the_others() -> None:
    first, second = make_hit("a"), make_hit("b")
    assert ManyRecalled([Hits([first]), Hits(), Hits([second, first])], 7).hits == [first, second, first]
