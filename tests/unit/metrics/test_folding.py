"""Folding: however many spaces there are, only some have samples of their own, and nothing is lost."""

from __future__ import annotations

from engram.metrics import table
from engram.metrics.folding import OTHER, Folding
from engram.metrics.samples import MetricSamples


def samples_of(spaces: dict[str, int]) -> MetricSamples:
    return MetricSamples(
        sample
        for name, value in spaces.items()
        for sample in (
            table.OBSERVATIONS.sample(value, name, "high"),
            table.OBSERVATIONS.sample(1, name, "low"),
            table.LOG_BYTES.sample(value, name),
            table.PRESSURE.sample(value / 10, name),
            table.BACKPRESSURE_STATE.sample(value, name),
            table.SNAPSHOT_AGE.sample(value, name),
        )
    )


def test_few_spaces_stay_as_they_are() -> None:
    samples = MetricSamples([table.RECALLS.sample(4), *samples_of({"aaa": 1, "bbb": 2})])
    assert Folding(2).fold(samples) == samples


def test_sums_and_maxima_of_the_others_are_told() -> None:
    folded = Folding(1).fold(samples_of({"aaa": 9, "bbb": 2, "ccc": 3}))
    assert set(folded.split("memory_space")) == {"aaa", OTHER}
    assert folded.value(table.OBSERVATIONS, memory_space=OTHER, priority="high") == 5
    assert folded.value(table.OBSERVATIONS, memory_space=OTHER, priority="low") == 2
    assert folded.value(table.LOG_BYTES, memory_space=OTHER) == 5
    assert folded.value(table.PRESSURE, memory_space=OTHER) == 0.3
    assert folded.value(table.BACKPRESSURE_STATE, memory_space=OTHER) == 3
    assert folded.value(table.SNAPSHOT_AGE, memory_space=OTHER) == 3
    recalls = [
        table.RECALL_AT_K.sample(value, name, "upper") for name, value in (("aaa", 0.5), ("bbb", 0.9), ("ccc", 0.7))
    ]
    assert Folding(1).fold(recalls).value(table.RECALL_AT_K, memory_space=OTHER) == 0.7, "the worst is told"
    series = [(sample.name, *sorted(sample.labels.items())) for sample in folded]
    assert len(series) == len(set(series))


def test_who_comes_later_takes_nobodys_place() -> None:
    """A counter would go down otherwise."""
    folding = Folding(1)
    folding.fold(samples_of({"mmm": 1}))
    folded = folding.fold(samples_of({"aaa": 5, "mmm": 1, "zzz": 7}))
    assert folded.value(table.LOG_BYTES, memory_space="mmm") == 1
    assert folded.value(table.LOG_BYTES, memory_space=OTHER) == 12


def test_a_space_with_the_name_of_the_others_is_one_of_them() -> None:
    folded = Folding(2).fold(samples_of({OTHER: 1, "aaa": 2, "bbb": 3, "ccc": 4}))
    assert {name: part.value(table.LOG_BYTES) for name, part in folded.split("memory_space").items()} == {
        "aaa": 2,
        "bbb": 3,
        OTHER: 5,
    }


def test_all_spaces_can_be_folded_and_what_is_of_no_space_stays() -> None:
    damage = table.DAMAGED_PLACES.sample(1, "")
    folded = Folding(0).fold([damage, *samples_of({"aaa": 1})])
    assert folded[0] is damage
    assert set(folded.split("memory_space")) == {"", OTHER}
