"""The metrics of a server: each entry of the table has a value, and no number of the statistics is left out."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import pytest

from engram.metrics import table
from engram.metrics.family import MetricGroup, MetricKind
from engram.metrics.folding import OTHER
from engram.metrics.samples import MetricSamples
from engram.metrics.table import TABLE
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.metrics import at_rest_together, server_metrics, space_metrics, traffic_metrics
from engram.server.options import ServerOptions
from engram.store.indexing.workers import WorkerStatistics
from engram.store.options import StoreOptions
from engram.streaming.lanes.lane import LaneStatistics
from engram.streaming.pressure.levels import Level
from engram.streaming.pressure.load_shedding import SpaceLoad
from tests.doubles.batches import DIM, batch_of
from tests.doubles.metrics import labels_of_samples


async def test_a_server_has_a_value_for_every_entry_of_the_table_and_for_nothing_else(tmp_path: Path) -> None:
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SpaceConfig("default", DIM)))
    try:
        space = engine.store.space("default", create=False)
        await engine.ingest.observe(space, batch_of(["a", "b"]), Priority.NORMAL)
        metrics = server_metrics(engine)
        of_space = space_metrics(engine, space)
    finally:
        await engine.close()
    # Of the recalls none was measured yet, so there is no share; and nothing is wrong.
    families = set(TABLE) - {table.RECALL_AT_K, table.PROBLEM}
    assert {sample.name: set(sample.labels) for sample in metrics} == labels_of_samples(families)
    series = [(sample.name, *sorted(sample.labels.items())) for sample in metrics]
    assert len(series) == len(set(series)), "a value was reported twice"
    assert {sample.name for sample in of_space} == {
        family.name for family in families if family.group in (MetricGroup.SPACES, MetricGroup.HEALTH)
    }
    for samples in (metrics, of_space):
        assert samples.value(table.LIVE_OBSERVATIONS) == samples.value(table.OBSERVATIONS_STORED) == 2
        assert samples.value(table.GENERATION, memory_space="default", watermark="visible") == 2
    assert metrics.value(table.QUEUE_ADMITTED, priority="normal") == 1


async def test_very_many_spaces_do_not_keep_the_event_loop_from_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    try:
        few = await traffic_metrics(engine)
        spaces = engine.store.spaces() * 1000
        monkeypatch.setattr(engine.store, "spaces", lambda: spaces)
        beside = asyncio.create_task(other_work())
        many = await traffic_metrics(engine)
        beside.cancel()
    finally:
        monkeypatch.undo()
        await engine.close()
    of_spaces = [sample for sample in few if sample.labels.get("memory_space")]
    assert len(many) == len(few) + 999 * len(of_spaces)
    assert turns >= 10


async def test_no_counter_goes_down_while_spaces_rest(tmp_path: Path) -> None:
    one = StoreOptions(open_spaces_max=1, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SpaceConfig("default", DIM), store=one))
    counters = {family.name for family in TABLE if family.kind is MetricKind.COUNTER}
    before: dict[tuple[object, ...], float] = {}
    sums: list[float] = []
    try:
        for number in range(4):
            name = ("default", "notes")[number % 2]
            space = await asyncio.to_thread(engine.store.space, name, DIM)
            await engine.ingest.observe(space, batch_of([f"id-{number}"]), Priority.NORMAL)
            engine.counters.observations.accept(name, Priority.NORMAL, 1)
            assert len(engine.store.spaces()) == 1
            metrics = server_metrics(engine)
            traffic = (await traffic_metrics(engine)).select(table.OBSERVATIONS)
            told = {sample.labels["memory_space"] for sample in traffic}
            assert told == ({"default"} if number == 0 else {"default", "notes"})
            found: dict[tuple[object, ...], float] = {
                (sample.name, *sorted(sample.labels.items())): sample.value for sample in metrics
            }
            assert len(found) == len(metrics), "a value was reported twice"
            assert [key for key, value in before.items() if found.get(key, 0) < value] == []
            before = {key: value for key, value in found.items() if key[0] in counters}
            together = at_rest_together(metrics, {name})
            sums.append(together.value(table.OBSERVATIONS))
            assert {sample.labels.get("memory_space") for sample in together} <= {None, "", name, OTHER}
            for family in (table.OBSERVATIONS, table.OBSERVATIONS_STORED, table.COMMITS):
                assert together.value(family) == metrics.value(family)
    finally:
        await engine.close()
    assert sums == [1, 2, 3, 4]


def test_every_number_of_the_statistics_of_a_worker_is_a_metric() -> None:
    worker = WorkerStatistics(3, batches=11, observations=12, stolen=13, restarts=14, busy_s=15.5, utilization=0.5)
    assert_complete(worker, MetricSamples(worker.samples()), {"number"})
    assert {sample.labels["worker"] for sample in worker.samples()} == {"3"}


def test_every_number_of_the_statistics_of_a_lane_is_a_metric() -> None:
    lane = LaneStatistics(Priority.LOW, 11, 12, 13, 14, 15, 16)
    assert_complete(lane, MetricSamples(lane.samples()), {"priority"})
    assert {sample.labels["priority"] for sample in lane.samples()} == {"low"}


def test_the_pressure_on_a_space_is_a_metric() -> None:
    samples = MetricSamples(SpaceLoad(11, 12, 0.75, Level.CRITICAL).samples("notes"))
    assert samples == (table.PRESSURE.sample(0.75, "notes"), table.BACKPRESSURE_STATE.sample(2, "notes"))


def assert_complete(statistics: object, samples: MetricSamples, names: set[str]) -> None:
    """Assert that each field but `names` has a sample with its value. All values differ."""
    shown = statistics._asdict() if hasattr(statistics, "_asdict") else asdict(statistics)  # type: ignore[call-overload]
    numbers = [number for name, number in shown.items() if name not in names]
    assert len(set(numbers)) == len(numbers)
    assert sorted(numbers) == sorted(sample.value for sample in samples)
