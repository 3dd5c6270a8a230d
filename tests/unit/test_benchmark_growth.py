"""The benchmark of growth: a counter that begins high, what growth is, and the chart that is drawn of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.store.growing import Batch, Load
from benchmarks.store.growth_counter import HIGH, begin_behind
from benchmarks.store.growth_rounds import growth_percent, panels, peak_growth_percent
from benchmarks.support.chart import Panel, chart
from engram import F, MemoryStore
from engram.maintenance.verify import verify

DIM = 8
LINE = re.compile(r'<polyline points="([^"]*)"')


def test_a_counter_begins_high_and_everything_works_from_there(tmp_path: Path) -> None:
    vectors = np.eye(DIM, dtype=np.float32)
    with MemoryStore(tmp_path / "data") as store:
        store.space("notes", dim=DIM)
    begin_behind(tmp_path / "data" / "spaces" / "notes", DIM, HIGH)
    with MemoryStore(tmp_path / "data") as store:
        space = store.space("notes")
        assert (space.generation, len(space)) == (HIGH, 0)
        for version in range(3):
            ack = space.observe(["a", "b"], vectors[:2], [f"text {version}"] * 2, metadata=[{"n": 1}, {"n": 2}])
            assert ack.first_generation == HIGH + 1 + 2 * version
        assert space.get("a", max_generation=HIGH) is None
    assert verify(tmp_path / "data").is_sound
    with MemoryStore(tmp_path / "data") as store:
        space = store.space("notes")
        (hit,) = space.recall(vectors[1], k=1)
        assert (hit.id, hit.generation, hit.content) == ("b", HIGH + 6, "text 2")
        assert [hit.id for hit in space.scan(F.n == 1)] == ["a"]
        before = space.get("a", max_generation=HIGH + 2)
        assert before is not None
        assert before.content == "text 0"


def test_each_round_has_every_id_once_and_other_texts_and_vectors() -> None:
    load = Load(ids=1200, dim=DIM)
    first, second = (list(load.batches(number)) for number in (0, 1))
    assert [len(batch.ids) for batch in first] == [500, 500, 200]
    assert len({id for batch in first for id in batch.ids}) == 1200
    assert [batch.ids for batch in first] == [batch.ids for batch in second]
    assert first[0].contents[0] != second[0].contents[0]
    assert not np.array_equal(first[0].vectors, second[0].vectors)


def test_what_is_encoded_has_the_vectors_and_texts() -> None:
    def encoded_bytes(count: int, text: str) -> int:
        return Batch(["a"] * count, np.ones((count, 256), np.float32), [text] * count, [{}] * count).encoded_bytes

    assert 10 * 1024 < encoded_bytes(10, "") < 12 * 1024
    assert encoded_bytes(10, "x" * 1000) - encoded_bytes(10, "") in range(9 * 1000, 11 * 1000)


@pytest.mark.parametrize(
    ("values", "settled", "percent"),
    [
        ([1.0, 5.0, 9.0, *[10.0] * 20], 3, 0.0),
        ([0.0] * 3 + [10.0] * 5 + [11.0] * 5, 3, 10.0),
        ([10.0] * 12, 3, ""),
    ],
)
def test_growth_is_that_of_the_ends_behind_what_settles(
    values: list[float], settled: int, percent: float | str
) -> None:
    assert growth_percent(values, settled) == (percent if isinstance(percent, str) else pytest.approx(percent))


def test_peaks_tell_whether_what_goes_up_and_down_has_a_bound() -> None:
    teeth = [0.0] * 3 + [4.0, 6.0, 8.0, 10.0] * 5
    assert peak_growth_percent(teeth, 3) == pytest.approx(0.0)
    rising = [tooth + 0.5 * place for place, tooth in enumerate(teeth)]
    assert peak_growth_percent(rising, 3) == pytest.approx(40.0)
    assert peak_growth_percent([1.0] * 12, 3) == ""


def test_a_chart_has_a_line_of_all_values_for_each_name() -> None:
    drawn = chart([Panel("a & b, MB", "rounds", {"one": [0, 5, 10], "other": [2, 2]}), Panel("c", "d", {"e": [0]})])
    lines = [line.split() for line in LINE.findall(drawn)]
    assert [len(points) for points in lines] == [3, 2, 1]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights, reverse=True), "what is more is higher up"
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2])
    assert "a &amp; b, MB" in drawn
    assert drawn.count("<g ") == drawn.count("</g>") == 2


def test_the_rounds_are_drawn_by_retention() -> None:
    rows = [{"retained": name, "disk MB by round": [1.0], "own MB by round": [2.0]} for name in ("x", "y")]
    disk, own = panels(rows)
    assert (disk.lines, own.lines) == ({"x": [1.0], "y": [1.0]}, {"x": [2.0], "y": [2.0]})
