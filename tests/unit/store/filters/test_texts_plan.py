"""Rows are found by the lists of texts, and told by their own texts."""

from __future__ import annotations

import numpy as np
import pytest

from engram import F
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.planning import Planner
from engram.store.filters.rows import Window
from engram.store.filters.texts import Texts
from engram.store.filters.texts_plan import TextsPlan
from tests.doubles.batches import DIM


@pytest.mark.parametrize("others", [0, 300], ids=["few texts", "more texts than a byte tells apart"])
@pytest.mark.parametrize("step", [1, 3], ids=["each row has a text", "some rows have none"])
def test_both_ways_find_the_same(step: int, others: int) -> None:
    generations = np.arange(50, 1000, step).tolist()
    texts = Texts()
    texts.extend([1 + number // 10 for number in range(others)], [f"other {number}" for number in range(others)])
    assert texts.are_bytes is (others == 0)
    texts.extend(generations, [f"{generation % 7}" for generation in generations])
    plan = TextsPlan(Window(101, 1100), texts, texts.numbers_of(["2", "5", "9"]))
    expected = [generation for generation in generations if generation > 100 and generation % 7 in (2, 5)]
    assert plan.count_max == len(expected)
    assert plan.rows().generations.tolist() == expected
    for asked in (np.arange(101, 1101), np.array([102, 110, 999, 1000, 1100])):
        assert asked[plan.passes(asked)].tolist() == [each for each in asked.tolist() if each in expected]


def test_texts_that_nobody_has_are_found_nowhere() -> None:
    texts = Texts()
    texts.extend([1, 2], ["a", "b"])
    plan = TextsPlan(Window(1, 2), texts, texts.numbers_of(["c"]))
    assert plan.count_max == 0
    assert plan.rows().generations.tolist() == []
    assert plan.passes(np.array([1, 2])).tolist() == [False, False]


def test_it_is_known_how_many_rows_have_one_of_few_texts() -> None:
    rooms = ["mess", "galley", "mast", "mast"]
    batch = make_batch(list("abcd"), np.ones((4, DIM), np.float32), metadata=[{"room": room} for room in rooms])
    attributes = MetadataIndex()
    attributes.add(LogEntry(RecordKind.OBSERVE, 1, batch))
    planner = Planner(attributes, Window(1, 4), 4)
    for condition, expected in (
        (F.room.starts_with("ma"), [3, 4]),
        (F.room < "hall", [2]),
        (F.room.contains("a"), [2, 3, 4]),
        (F.room.is_in(["mess", "mast", 1]), [1, 3, 4]),
        (F.room.is_in(["bridge"]), []),
    ):
        plan = planner.plan(condition)
        assert plan.count_max == len(expected)
        assert plan.rows().generations.tolist() == expected
