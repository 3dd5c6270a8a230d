"""A reading says what the metrics say."""

from __future__ import annotations

import json

import pytest

from engram.cli.live.reading import LaneReading, WorkerReading, live_reading
from engram.metrics import table
from tests.unit.cli.live.statuses import LATENCY, histogram, space_samples, status


def test_a_reading_has_the_rates_and_the_newest_numbers() -> None:
    before = status(
        table.RECALLS.sample(10),
        table.WORKER_BUSY.sample(1.0, "0"),
        table.OBSERVATIONS_INDEXED.sample(0, "0"),
        *space_samples("notes", stored=100),
        spaces=("notes",),
    )
    after = status(
        table.RECALLS.sample(30),
        table.ACTIVE_SESSIONS.sample(3),
        table.QUEUE_DEPTH.sample(50, "low"),
        table.QUEUE_CAPACITY.sample(100, "low"),
        table.QUEUE_BYTES.sample(900, "low"),
        table.QUEUE_CAPACITY_BYTES.sample(1000, "low"),
        table.WORKER_BUSY.sample(2.0, "0"),
        table.OBSERVATIONS_INDEXED.sample(80, "0"),
        table.WORK_STOLEN.sample(2, "0"),
        table.WORKER_RESTARTS.sample(1, "0"),
        *space_samples("notes", stored=500, tail=250, level=2, pressure=0.85),
        table.RECALL_AT_K.sample(0.97, "notes", "estimate"),
        table.RECALL_AT_K.sample(0.99, "notes", "upper"),
        *histogram(LATENCY, {"0.1": 100, "+Inf": 100}, stage="durable"),
        spaces=("notes",),
        damaged_count=1,
    )
    reading = live_reading(before, after, 2.0)
    assert (reading.recalls_per_s, reading.sessions, reading.damaged_count) == (10, 3, 1)
    assert reading.durable_p99_s == pytest.approx(0.099)
    assert reading.recall_p99_s is None
    assert reading.lanes == (LaneReading("low", 50, 900, 0.9),)
    assert reading.workers == (WorkerReading("0", 0.5, 40.0, 2, 1),)
    (space,) = reading.spaces
    assert (space.name, space.level, space.stored_per_s, space.tail, space.tail_fill) == (
        "notes",
        "critical",
        200,
        250,
        0.25,
    )
    assert space.recall == 0.97
    assert json.loads(json.dumps(reading.values()))["spaces"][0]["pressure"] == 0.85


def test_a_space_that_was_at_rest_has_no_rate_before_the_next_look() -> None:
    rested = status(table.OBSERVATIONS_STORED.sample(500, "other"))
    opened = status(*space_samples("notes", stored=500), spaces=("notes",))
    later = status(*space_samples("notes", stored=520), spaces=("notes",))
    (first,), (second,) = (live_reading(*looks, 1.0).spaces for looks in ((rested, opened), (opened, later)))
    assert (first.stored_per_s, second.stored_per_s) == (0, 20)


def test_the_spaces_in_trouble_come_first() -> None:
    samples = [
        *space_samples("calm"),
        *space_samples("behind", tail=900),
        *space_samples("full", pressure=0.9),
        *space_samples("also-calm"),
    ]
    after = status(*samples, spaces=("also-calm", "behind", "calm", "full"))
    reading = live_reading(status(), after, 1.0)
    assert [space.name for space in reading.spaces] == ["full", "behind", "also-calm", "calm"]


def test_a_server_without_metrics_is_read_as_zeros() -> None:
    reading = live_reading(status(), status(spaces=("old",)), 1.0)
    assert (reading.observed_per_s, reading.lanes, reading.workers, reading.spaces) == (0, (), (), ())


def test_a_level_of_a_newer_server_is_its_number() -> None:
    after = status(*space_samples("notes", level=7), spaces=("notes",))
    (space,) = live_reading(status(), after, 1.0).spaces
    assert (space.level, space.recall) == ("7", None)


def test_no_worker_is_more_than_busy() -> None:
    after = status(table.WORKER_BUSY.sample(1.2, "0"))
    assert live_reading(status(table.WORKER_BUSY.sample(0, "0")), after, 1.0).workers[0].busy == 1.0
