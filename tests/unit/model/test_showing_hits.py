"""How hits show themselves, and what else takes them: copies, pickles, dictionaries, tables."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram import Cue, Hit, Hits, HnswIndex, MemoryStore
from engram.errors import CorruptData
from engram.index import CueTable
from engram.model.hit import HitSource, received_hit

TEXT = "<b>the pump</b>\nleaks & drips " + "x" * 500


@pytest.fixture
def hits() -> Iterator[Hits]:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=3)
        space.observe(
            ["a", "b"],
            [[1, 0, 0], [0, 1, 0]],
            [TEXT, "other"],
            timestamps=["2025-01-31T12:00:00.000001Z", "1970-01-01"],
            metadata=[{"room": "mess"}, None],
            tags=[["urgent"], []],
        )
        yield space.recall([1, 0, 0])


def test_a_hit_is_one_line_with_the_start_of_its_text_and_no_vector(hits: Hits) -> None:
    assert repr(hits[0]) == f"Hit('a', score=1, content={(TEXT[:60] + '...')!r})"
    assert "\n" not in repr(hits)
    assert "vector" not in repr(hits)


def test_a_hit_whose_text_is_damaged_shows_itself() -> None:
    class Damaged:
        def id(self, row: int) -> str:
            return "a"

        def score(self, row: int) -> float:
            return 0.5

        def content(self, row: int) -> str:
            raise CorruptData("damaged")

    source: HitSource = Damaged()
    assert repr(received_hit(source, 0)) == "Hit('a', score=0.5, content=<corrupt_data>)"


def test_a_time_is_a_datetime(hits: Hits) -> None:
    assert [hit.time for hit in hits] == [
        datetime(2025, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
    ]


def test_a_notebook_shows_a_table_without_the_markup_of_texts(hits: Hits) -> None:
    shown = hits._repr_html_()
    assert "&lt;b&gt;the pump&lt;/b&gt;" in shown
    assert "<b>" not in shown
    assert "2 hits of generation 2." in shown
    assert "2025-01-31 12:00:00" in shown
    assert "urgent" in shown
    assert len(shown) < 2_000
    assert "0 hits" in Hits()._repr_html_()
    assert "The first 100 are shown." in Hits([hits[1]] * 101)._repr_html_()


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize(
    "again",
    [lambda hits: pickle.loads(pickle.dumps(hits)), copy.copy, copy.deepcopy],  # noqa: S301  (Its own pickle.)
    ids=["pickle", "copy", "deepcopy"],
)
def test_copies_and_pickles(hits: Hits, again: Callable[[Any], Any], touched: bool) -> None:
    if touched:
        assert hits[0].content == TEXT
    for value in (hits, hits[0]):
        other = again(value)
        assert other == value
        assert type(other) is type(value)
    assert (again(hits).generation, again(hits).incomplete) == (2, False)
    assert np.array_equal(again(hits[0]).vector, [1, 0, 0])


def test_a_hit_as_a_dictionary(hits: Hits) -> None:
    names = [field.name for field in dataclasses.fields(Hit)]
    as_dictionary = dataclasses.asdict(hits[0])
    assert list(as_dictionary) == names
    assert "_source" not in names
    assert (as_dictionary["content"], as_dictionary["metadata"]) == (TEXT, {"room": "mess"})
    vector = as_dictionary.pop("vector")
    assert np.array_equal(vector, [1, 0, 0])
    assert Hit(**as_dictionary) == hits[0]
    assert dataclasses.replace(hits[0], score=0.5).score == 0.5


def test_hits_as_a_table_of_pandas(hits: Hits) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(hits)
    assert frame["id"].tolist() == ["a", "b"]
    assert frame["metadata"].tolist() == [{"room": "mess"}, {}]


def test_what_is_made_shows_itself_in_one_line(hits: Hits) -> None:
    index, table = HnswIndex(3), CueTable(3)
    index.add(np.eye(3))
    assert repr(index) == "HnswIndex(dim=3, metric='cosine', count=3)"
    assert repr(table) == "CueTable(dim=3, metric='cosine', count=0)"
    assert repr(Cue()) == "Cue()"
    assert repr(Cue(np.ones(768), "words " * 20)) == f"Cue(vector=<768 numbers>, text={('words ' * 10 + '...')!r})"
    assert repr(Cue(text="a", by="words")) == "Cue(text='a', by='words')"
