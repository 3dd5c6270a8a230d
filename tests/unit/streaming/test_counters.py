"""The counters of the traffic."""

from __future__ import annotations

import pytest

from engram.metrics import table
from engram.metrics.family import MetricGroup
from engram.metrics.samples import MetricSamples
from engram.metrics.table import TABLE
from engram.streaming.counters import Counters


def test_all_traffic_has_a_value_before_anything_is_counted() -> None:
    values = {sample.name: sample.value for sample in Counters().samples()}
    assert values == {family.name: 0 for family in TABLE if family.group is MetricGroup.TRAFFIC}


def test_what_is_counted_is_reported_under_its_own_name() -> None:
    counters = Counters()
    counters.add(table.RECALLS, 5)
    counters.add(table.RECALLS)
    counters.add(table.MALFORMED)
    found = MetricSamples(counters.samples())
    assert found.value(table.RECALLS) == counters.value(table.RECALLS) == 6
    assert found.value(table.MALFORMED) == 1


def test_what_others_count_is_not_counted_here() -> None:
    with pytest.raises(KeyError):
        Counters().add(table.COMMITS)
