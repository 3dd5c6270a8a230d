"""The recall meter: it finds out what recalls miss, rests as long as it should, and is in nobody's way."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from engram.errors import CorruptData
from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.cue import Cue, Filter
from engram.model.hit import Hits
from engram.model.query import Recalled, RecallQuery
from engram.model.strength import Strength
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.meter import exact_scan, recall_meter
from engram.store.meter.recall_meter import K_MAX, RecallMeter, found_of
from engram.store.recall.exact import score_readable
from engram.store.recall.ranked import Ranked
from engram.text.lexical import LexicalEmbedder
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

IDS = [f"id-{number}" for number in range(50)]
CUE = Cue(vector_of("cue"))


@pytest.fixture
def space() -> Iterator[Space]:
    with MemoryStore(None, options=StoreOptions(recall_meter_share=0)) as store:
        space = store.space("notes", dim=DIM)
        space.observe(IDS, np.stack([vector_of(id) for id in IDS]))
        yield space


class Meter:
    """A meter without a thread, which measures at once."""

    def __init__(self, space: Space, monkeypatch: pytest.MonkeyPatch, share: float = 1.0) -> None:
        self.space = space
        self.meter = RecallMeter(share)
        self.rests_s: list[float] = []
        self.is_stopping = False
        stopping: Any = self
        monkeypatch.setattr(self.meter, "_stopping", stopping)

    def wait(self, seconds: float) -> bool:
        self.rests_s.append(seconds)
        return self.is_stopping

    def offer(self, query: RecallQuery, recalled: Recalled) -> bool:
        """Offer a recall, and say whether it is taken; measure it if it is."""
        self.meter._sampled = None
        self.meter.offer("notes", self.space._engine.exact_scan, query, recalled)
        sampled = self.meter._sampled
        if sampled is not None:
            self.meter._measure(sampled)
        return sampled is not None

    def answer(self, query: RecallQuery, dropped: int = 0) -> bool:
        """Offer an answer that lacks the best `dropped` hits."""
        recalled = self.space._engine.answer(query)
        return self.offer(query, Recalled(recalled.hits[dropped:], recalled.generation, recalled.found, 0.0))

    def samples(self) -> MetricSamples:
        return MetricSamples(self.meter.samples("notes"))


def test_what_a_recall_missed_shows(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(space, monkeypatch)
    assert meter.samples() == (table.RECALLS_MEASURED.sample(0, "notes"),)
    for dropped in (0, 0, 5, 3):
        assert meter.answer(RecallQuery(CUE, k=10, ef=200), dropped)
    samples = meter.samples()
    assert samples.value(table.RECALLS_MEASURED) == 4
    assert samples.value(table.RECALL_AT_K, bound="estimate") == pytest.approx(0.8)
    lower, upper = (samples.value(table.RECALL_AT_K, bound=bound) for bound in ("lower", "upper"))
    assert 0 < lower < 0.8 < upper <= 1


def test_what_is_known_of_a_space_is_forgotten_with_its_name(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(space, monkeypatch)
    assert meter.answer(RecallQuery(CUE, k=10, ef=200))
    meter.meter.forget("other")
    assert meter.samples().value(table.RECALLS_MEASURED) == 1
    meter.meter.forget("notes")
    assert meter.samples() == (table.RECALLS_MEASURED.sample(0, "notes"),)


def test_what_came_after_the_recall_was_not_missed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter, query = Meter(space, monkeypatch), RecallQuery(CUE, k=10, ef=200)
    recalled = space._engine.answer(query)
    space.observe("better", vector_of("cue"))
    space.delete([recalled.hits[0].id])
    assert meter.offer(query, recalled)
    assert meter.samples().value(table.RECALL_AT_K, bound="estimate") == 1


def test_a_recall_for_which_there_is_nothing_says_nothing(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(space, monkeypatch)
    assert meter.answer(RecallQuery(Cue(vector_of("cue"), score_min=0.999)))
    assert meter.samples().value(table.RECALLS_MEASURED) == 0


@pytest.mark.parametrize(
    "query",
    [
        RecallQuery(Cue(text="pump", by="words")),
        RecallQuery(Cue()),
        RecallQuery(CUE, strength=Strength()),
        RecallQuery(CUE, k=K_MAX + 1),
    ],
    ids=["by words", "newest first", "by strength", "many hits"],
)
def test_recalls_of_other_kinds_are_left_alone(
    query: RecallQuery, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Meter(space, monkeypatch).answer(query)


def test_large_spaces_and_answers_that_lack_something_are_left_alone(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = Meter(space, monkeypatch)
    assert not meter.offer(RecallQuery(CUE), Recalled((), 50, 0, 0.0, incomplete=True))
    monkeypatch.setattr(recall_meter, "BYTES_MAX", 50 * DIM * 4 - 1)
    assert not meter.answer(RecallQuery(CUE))
    monkeypatch.setattr(recall_meter, "BYTES_MAX", 50 * DIM * 4)
    assert meter.answer(RecallQuery(CUE))


def test_it_rests_until_it_had_no_more_than_its_share(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(space, monkeypatch, share=0.005)
    clock = iter(range(100))
    monkeypatch.setattr("engram.store.meter.recall_meter.time.thread_time", lambda: next(clock) / 100)
    monkeypatch.setattr("engram.store.meter.exact_scan.STEP", 25)
    assert meter.answer(RecallQuery(CUE))
    # Two pieces and the end, each of a hundredth of a second.
    assert meter.rests_s == pytest.approx([1.99, 1.99, 1.99])


class Clock:
    """A clock of the processor and one on the wall, moved by what is computed and by rests."""

    def __init__(self, meter: Meter, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self.cpu_s = self.wall_s = 0.0
        self.is_broken = False
        self._random = random.Random(seed)
        self._score = score_readable
        monkeypatch.setattr(exact_scan, "score_readable", self._compute)
        monkeypatch.setattr(exact_scan, "STEP", 7)
        monkeypatch.setattr("engram.store.meter.recall_meter.time.thread_time", lambda: self.cpu_s)
        monkeypatch.setattr(meter, "wait", self._rest)

    def _compute(self, *arguments: Any) -> Ranked:
        # From what a piece takes at best to one that was held up, while others had the processor for longer.
        used_s = 10 ** self._random.uniform(-5, 0)
        self.cpu_s += used_s
        self.wall_s += used_s * self._random.uniform(1, 3)
        if self.is_broken:
            raise CorruptData("damaged")
        return self._score(*arguments)

    def _rest(self, seconds: float) -> bool:
        self.wall_s += seconds
        return False


@pytest.mark.parametrize("share", [0.005, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_time_passes_in_which_it_had_more_than_its_share(
    space: Space, monkeypatch: pytest.MonkeyPatch, seed: int, share: float
) -> None:
    meter = Meter(space, monkeypatch, share)
    clock = Clock(meter, monkeypatch, seed)
    for number in range(30):
        clock.is_broken = number % 10 == 9
        with contextlib.suppress(CorruptData):
            meter.answer(RecallQuery(CUE, k=10))
        assert 0 < clock.cpu_s <= share * clock.wall_s * (1 + 1e-9)
    assert meter.samples().value(table.RECALLS_MEASURED) == 27


@pytest.mark.parametrize("seed", range(4))
def test_deletions_filters_ties_and_old_snapshots_make_no_recall_look_worse(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    options = StoreOptions(recall_meter_share=0, retained_count=10_000)
    with MemoryStore(None, options=options) as store:
        space = store.space("notes", dim=DIM)
        meter = Meter(space, monkeypatch)

        def change() -> None:
            ids = chance.sample(IDS, 8)
            # Few different vectors, so that many are equally near.
            vectors = np.stack([vector_of(f"vector-{chance.randrange(12)}") for _ in ids])
            space.observe(ids, vectors, tags=[[chance.choice(["odd", "even"])] for _ in ids])
            space.delete(chance.sample(IDS, 3))

        for _ in range(40):
            change()
            wanted = Filter(tags={"even"}) if chance.random() < 0.5 else Filter()
            cue = Cue(vector_of(f"vector-{chance.randrange(12)}"), filter=wanted, score_min=chance.choice([None, 0.0]))
            generation = chance.choice([None, chance.randint(1, space.generation)])
            query = RecallQuery(cue, k=chance.choice([1, 5, 40]), ef=500, max_generation=generation)
            recalled = space._engine.answer(query)
            change()
            assert meter.offer(query, recalled)
            estimate = meter.samples().select(table.RECALL_AT_K, bound="estimate")
            assert [sample.value for sample in estimate] in ([], [1.0]), (query, recalled)
        assert meter.samples().value(table.RECALLS_MEASURED) > 30


def test_a_text_is_embedded_once_also_if_its_recall_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    embed = LexicalEmbedder.embed
    texts: list[str] = []

    def counted(self: LexicalEmbedder, given: Sequence[str]) -> Any:
        texts.extend(given)
        return embed(self, given)

    monkeypatch.setattr(LexicalEmbedder, "embed", counted)
    monkeypatch.setattr(recall_meter, "_PAUSE_S", 0.0)
    with MemoryStore(None, options=StoreOptions(recall_meter_share=1)) as store:
        space = store.space("notes", dim=64, embedder="lexical")
        space.observe(["a"], contents=["the pump leaks"])
        texts.clear()
        asked = 0
        deadline = time.monotonic() + TIMEOUT_S
        while space.stats().metrics.value(table.RECALLS_MEASURED) < 3:
            assert time.monotonic() < deadline
            space.recall("a leaking pump")
            asked += 1
        assert texts == ["a leaking pump"] * asked


def test_a_store_that_closes_does_not_wait_for_a_measurement(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(space, monkeypatch)
    meter.is_stopping = True
    assert meter.answer(RecallQuery(CUE))
    assert len(meter.rests_s) == 1
    assert meter.samples().value(table.RECALLS_MEASURED) == 0


def test_hits_as_near_as_the_last_of_the_best_are_found_as_well() -> None:
    best = Ranked(np.array([4, 9]), np.array([0.5, 0.25], dtype=np.float32))
    assert found_of(best, [(4, 0.5), (9, 0.25)]) == 2
    assert found_of(best, [(4, 0.5), (7, 0.25)]) == 2
    assert found_of(best, [(4, 0.5), (7, 0.24)]) == 1
    assert found_of(best, [(4, 0.5), (9, 0.25), (7, 0.25)]) == 2
    assert found_of(best, []) == 0


def test_recalls_of_a_store_are_measured_while_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_meter, "_PAUSE_S", 0.0)
    with MemoryStore(None, options=StoreOptions(recall_meter_share=1)) as store:
        space = store.space("notes", dim=DIM)
        space.observe(IDS, np.stack([vector_of(id) for id in IDS]))
        stopped = threading.Event()
        timer = threading.Timer(TIMEOUT_S, stopped.set)
        timer.start()
        while space.stats().metrics.value(table.RECALLS_MEASURED) < 3 and not stopped.is_set():
            assert isinstance(space.recall(CUE, k=5), Hits)
        timer.cancel()
        assert not stopped.is_set()
        assert space.stats().metrics.value(table.RECALL_AT_K, bound="estimate") > 0.9


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_meter_that_is_turned_off_has_no_thread(own_threads: Callable[[], list[str]], share: float) -> None:
    with MemoryStore(None, options=StoreOptions(recall_meter_share=share)):
        assert ("engram-recall-meter" in own_threads()) == (share > 0)


def test_a_meter_that_is_turned_off_measures_nothing(space: Space) -> None:
    space.recall(CUE)
    assert space.stats().metrics.value(table.RECALLS_MEASURED) == 0
