"""Filters of any shape over any history, compared with looking at every row, at every generation of it."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import Cue, MemoryStore
from engram.model.filters.conditions import Condition
from engram.model.filters.filter_like import as_filter
from engram.model.filters.objects import object_of_condition
from engram.model.filters.text import parse_filter
from engram.store.filters.selection import passing
from engram.wire.cues import decode_filter, encode_filter
from tests.doubles.filter_oracle import METADATA, Observed, meets, trees

DIM = 8
IDS = list(string.ascii_lowercase[:6])
ROWS = st.builds(
    Observed,
    st.sampled_from(IDS),
    st.integers(0, 6).map(lambda seconds: seconds * 1_000_000),
    st.lists(st.sampled_from("abc"), max_size=3).map(tuple),
    METADATA,
    st.sampled_from([0.0, 0.25, 0.9, 1.0]),
    st.sampled_from([0.0, 0.25, 0.9, 1.0]),
)
# What is observed together, or an id that is deleted.
HISTORIES = st.lists(
    st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: row.id) | st.sampled_from(IDS), min_size=1, max_size=8
)


class Model:
    """The observations of each generation, by their ids."""

    def __init__(self) -> None:
        self.at: list[dict[str, tuple[int, Observed]]] = [{}]

    def observe(self, rows: list[Observed]) -> None:
        for row in rows:
            self.at.append({**self.at[-1], row.id: (len(self.at), row)})

    def delete(self, id: str) -> None:
        if id in self.at[-1]:
            self.at.append({each: found for each, found in self.at[-1].items() if each != id})

    def passing(self, condition: Condition, generation: int) -> list[int]:
        return sorted(place for place, row in self.at[generation].values() if meets(row, condition))

    def ever_passing(self, condition: Condition, first: int, last: int) -> list[int]:
        """Those observed from `first` to `last`, also if they have ended since."""
        observed = (found for at in self.at[first : last + 1] for found in at.values())
        rows = {place: row for place, row in observed if first <= place <= last}
        return sorted(place for place, row in rows.items() if meets(row, condition))


def write(space: Any, model: Model, step: list[Observed] | str) -> None:
    if isinstance(step, str):
        space.delete([step])
        model.delete(step)
        return
    space.observe(
        [row.id for row in step],
        np.ones((len(step), DIM), np.float32),
        timestamps=[row.time_us / 1e6 for row in step],
        tags=[list(row.tags) for row in step],
        metadata=[row.metadata for row in step],
        confidences=[row.confidence for row in step],
        importances=[row.importance for row in step],
    )
    model.observe(step)


@settings(deadline=None, max_examples=60)
@given(history=HISTORIES, conditions=st.lists(trees(IDS), min_size=1, max_size=6), data=st.data())
def test_what_passes_is_what_a_look_at_every_row_finds(
    history: list[list[Observed] | str], conditions: list[Condition], data: st.DataObject
) -> None:
    model = Model()
    with MemoryStore(None) as store:
        space = store.space("rows", dim=DIM)
        for step in history:
            write(space, model, step)
        assert space.generation == len(model.at) - 1
        attributes = space._engine._state.attributes
        for condition in conditions:
            for generation in range(1, len(model.at)):
                rows = passing(attributes, condition, 1, generation, alive_at=generation)
                assert rows.generations.tolist() == model.passing(condition, generation), str(condition)
                first = data.draw(st.integers(1, generation))
                rows = passing(attributes, condition, first, generation, alive_at=generation)
                late = [place for place in model.passing(condition, generation) if place >= first]
                assert rows.generations.tolist() == late, str(condition)
                # As standing recalls look at what is new.
                rows = passing(attributes, condition, first, generation)
                assert rows.generations.tolist() == model.ever_passing(condition, first, generation), str(condition)
            generation = data.draw(st.integers(1, len(model.at) - 1)) if len(model.at) > 1 else 0
            found = space.recall(Cue(filter=condition), k=100, max_generation=generation)
            assert [hit.generation for hit in found] == model.passing(condition, generation)[::-1]


@given(condition=trees(IDS))
def test_a_condition_is_the_same_on_every_way(condition: Condition) -> None:
    assert str(as_filter(object_of_condition(condition))) == str(condition)
    assert str(decode_filter(encode_filter(condition))) == str(condition)
    # Groups of one part and negations are written without their parentheses, so the text may join or drop some.
    assert str(parse_filter(str(condition))) == str(condition)
