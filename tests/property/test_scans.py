"""A scan has exactly what is alive and passes, in its order, whatever its pages, and at every generation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import Between, Filter, MemoryStore

IDS = st.text(st.sampled_from("ab\x00ä🙂"), min_size=1, max_size=3) | st.sampled_from(["x" * 48, "x" * 60, "x" * 49])
ROWS = st.tuples(IDS, st.integers(0, 3), st.sampled_from([None, "t", "u"]), st.integers(0, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), st.lists(ROWS, min_size=1, max_size=6)),
        st.tuples(st.just("delete"), st.lists(IDS, min_size=1, max_size=3)),
        st.tuples(st.just("delete where"), st.sampled_from(["t", "u"])),
        st.tuples(st.just("clear"), st.none()),
    ),
    min_size=1,
    max_size=8,
)
FILTERS = [Filter(), Filter(tags={"t"}), Filter(since=1, until=3), Filter(metadata={"n": Between(1, 2)})]


class Row(NamedTuple):
    """An observation of the model."""

    id: str
    generation: int
    time: int
    tag: str | None
    number: int


PASSES: list[Any] = [
    lambda row: True,
    lambda row: row.tag == "t",
    lambda row: 1 <= row.time < 3,
    lambda row: row.number in (1, 2),
]
KEYS: dict[str, Any] = {
    "generation": lambda row: row.generation,
    "time": lambda row: (row.time, row.generation),
    "id": lambda row: row.id,
}


class Model:
    """What is alive, by id, now and at every generation at which a step ended."""

    def __init__(self) -> None:
        self.alive: dict[str, Row] = {}
        self.generation = 0
        self.then: dict[int, list[Row]] = {0: []}

    def observe(self, rows: list[tuple[str, int, str | None, int]]) -> None:
        for id, time, tag, number in rows:
            self.generation += 1
            self.alive[id] = Row(id, self.generation, time, tag, number)

    def delete(self, ids: list[str]) -> int:
        gone = [id for id in dict.fromkeys(ids) if self.alive.pop(id, None) is not None]
        self.generation += len(gone)
        return len(gone)


def take(step: tuple[str, Any], space: Any, model: Model) -> None:
    kind, what = step
    if kind == "observe":
        model.observe(what)
        ids, times, tags, numbers = zip(*what, strict=True)
        space.observe(
            list(ids),
            np.ones((len(ids), 8)),
            timestamps=list(times),
            tags=[[tag] if tag else [] for tag in tags],
            metadata=[{"n": number} for number in numbers],
        )
    elif kind == "delete":
        assert space.delete(what) == model.delete(what)
    elif kind == "delete where":
        wanted = [row.id for row in model.alive.values() if row.tag == what]
        assert space.delete(filter=Filter(tags={what}), dry_run=True) == len(wanted)
        assert space.delete(filter=Filter(tags={what})) == model.delete(wanted)
    else:
        assert space.clear() == model.delete(list(model.alive))
    model.then[model.generation] = list(model.alive.values())


@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(list(KEYS)), st.booleans(), st.integers(1, 9), st.integers(0, 3))
def test_a_scan_has_what_is_alive_and_passes(
    steps: list[tuple[str, Any]], order: str, reverse: bool, page_size: int, which: int
) -> None:
    with MemoryStore(None) as store:
        space, model = store.space("notes", dim=8), Model()
        for step in steps:
            take(step, space, model)
        for generation, rows in model.then.items():
            expected = sorted(filter(PASSES[which], rows), key=KEYS[order], reverse=reverse)
            options: Any = {"order": order, "reverse": reverse, "max_generation": generation}
            found = list(space.scan(FILTERS[which], page_size=page_size, **options))
            assert [(hit.id, hit.generation) for hit in found] == [(row.id, row.generation) for row in expected]
            taken: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                page = next(space.scan(FILTERS[which], page_size=page_size, cursor=cursor, **options).pages())
                taken += [hit.id for hit in page]
                cursor = page.cursor or None
            assert taken == [row.id for row in expected]
            held = space.snapshot(generation)
            assert (len(held), [row.id in held for row in rows]) == (len(rows), [True] * len(rows))
            facets = held.facets("n", FILTERS[which], fields="time_us")
            assert facets.count == facets["n"].count == facets["time_us"].count == len(expected)
            counted = {each.value: each.count for each in facets["n"].values}
            assert counted == {n: sum(row.number == n for row in expected) for n in {row.number for row in expected}}
        assert len(space) == len(model.alive)
