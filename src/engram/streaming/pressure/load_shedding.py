"""Load shedding: it decides which priorities are admitted at which pressure, and sends each change to streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engram.errors import OverCapacity
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.priority import Priority
from engram.store.commit.queue import CommitRequest
from engram.store.space_engine import SpaceEngine
from engram.streaming.lanes.lane import LanesStatistics
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.loop.watermark_relay import WatermarkRelay
from engram.streaming.pressure.gauges import Gauge, LanesGauge, Queue, Reading, TailGauge
from engram.streaming.pressure.levels import REFUSED_FROM, Hysteresis, Level, Thresholds
from engram.streaming.sessions.outbox import StreamState

Notify = Callable[[str, StreamState, OverCapacity | None], None]
"""Takes the name of a space, the state to send to its streams, and the reason."""

# Before requests of this size, gauges that are otherwise read once a second are read.
_LARGE_BYTES: Final = 1 << 20
STATES: Final = {
    Level.NORMAL: StreamState.ACTIVE,
    Level.WARNING: StreamState.ACTIVE,
    Level.CRITICAL: StreamState.BACKPRESSURE,
    Level.OVERLOADED: StreamState.OVERLOADED,
}


@dataclass(frozen=True, slots=True)
class SpaceLoad:
    """The load that a client is sent: the content of the lanes in observations, and the pressure on its space."""

    queue_depth: int
    queue_capacity: int
    pressure: float
    level: Level

    def samples(self, space: str) -> Iterator[MetricSample]:
        """Yield the metrics of the pressure on the space called `space`."""
        yield table.PRESSURE.sample(self.pressure, space)
        yield table.BACKPRESSURE_STATE.sample(self.level.value, space)


class LoadShedder:
    """Measures the pressure on every space, refuses requests when it is too high, and informs streams of changes.

    The pressure on a space is the highest of these gauges: its own tail, the lanes, memory and the disk. A full lane
    counts only up to the share of it that the space itself uses, so a space that sends little is not refused because of
    a busy one. Nothing is polled: the gauges are read once per iteration of the event loop in which something was
    admitted, committed or indexed. Only memory and disk, whose changes nothing announces, are read by `tick` instead.
    Used on the event loop's thread only.

    Parameters
    ----------
    lanes
        The queue before the committer.
    ticked
        Gauges that are read by `tick`.
    thresholds
        Thresholds of the levels, the same for every gauge.
    mailbox
        Delivers notifications of what has been indexed.
    soon
        Schedules a function for a moment later, on the event loop's thread.
    tell
        Called to send a change to the streams of a space.
    """

    def __init__(
        self,
        *,
        lanes: Queue,
        ticked: Sequence[Gauge],
        thresholds: Thresholds,
        mailbox: Mailbox,
        soon: Callable[[Callable[[], None]], object],
        tell: Notify,
    ) -> None:
        self._lanes = lanes
        self._thresholds = thresholds
        self._lanes_gauge = LanesGauge(lanes)
        self._queue = _Meter(self._lanes_gauge, thresholds)
        self._ticked = [_Meter(gauge, thresholds) for gauge in ticked]
        self._spaces: dict[str, _Pressed] = {}
        self._mailbox = mailbox
        self._soon = soon
        self._tell = tell
        self._due: set[str] = set()
        self._activations = dict.fromkeys((Level.WARNING, Level.CRITICAL, Level.OVERLOADED), 0)

    def samples(self) -> Iterator[MetricSample]:
        """Yield how often the pressure on a space rose to each level."""
        for level, count in self._activations.items():
            yield table.BACKPRESSURE_ACTIVATIONS.sample(count, level.name.lower())

    def check(self, space: SpaceEngine, priority: Priority, nbytes: int = 0) -> None:
        """Refuse a request of `priority` if the pressure on `space`, or its share of the lane, does not admit it.

        Before a large one, of `nbytes` bytes, memory and disk are looked at: within a second, a few of them fill both.

        Raises
        ------
        OverCapacity
            If the request is refused. The error names what is full and when to retry.
        """
        if nbytes >= _LARGE_BYTES:
            for meter in self._ticked:
                meter.look()
        self._check_pressure(space, priority)
        self._check_share(space.config.name, priority)

    def entered(self, space: SpaceEngine, request: CommitRequest) -> None:
        """Record that a request of `space` has been admitted to its lane."""
        self._lanes.shares.count_admitted(space.config.name, request.priority, request.count, request.nbytes)
        self.look_soon(space)

    def look_soon(self, space: SpaceEngine) -> None:
        """Schedule a check of `space`; all changes until then share one check."""
        self._look_soon_at(self._pressed(space).name)

    def tick(self) -> None:
        """Read all gauges. To be called about once a second."""
        for meter in (self._queue, *self._ticked):
            meter.look()
        statistics = self._lanes.statistics()
        for pressed in list(self._spaces.values()):
            pressed.look(statistics)
            self._announce(pressed)
            if pressed.gauge.is_over and pressed.level is Level.NORMAL:
                del self._spaces[pressed.name]

    def status(self, space: SpaceEngine) -> tuple[StreamState, OverCapacity | None]:
        """Return the state that a stream of `space` should know now, and the reason (None if the state is ACTIVE)."""
        return self._status(self._pressed(space))

    def load(self, space: SpaceEngine | None) -> SpaceLoad:
        """Return the load as a client of `space` sees it; without a space, the load of what all spaces share."""
        lanes = self._lanes.statistics()
        meters = [self._queue, *self._ticked] if space is None else self._meters(self._pressed(space))
        level = max(meter.level for meter in meters)
        return SpaceLoad(lanes.depth, lanes.capacity, max(meter.reading.fill for meter in meters), level)

    def _check_pressure(self, space: SpaceEngine, priority: Priority) -> None:
        name = priority.name.lower()
        from_level = REFUSED_FROM.get(priority)
        if from_level is None:
            for meter in self._ticked:
                if meter.reading.fill >= 1:
                    raise self._refusal(meter, Level.OVERLOADED, f"not even {name} priority is admitted")
            return
        pressed = self._pressed(space)
        if self._hardest(pressed).level < from_level:
            return
        # Read the gauges again: a refusal must name current numbers, and must not outlast its reason if the change that
        # ended it was not announced.
        self._look(pressed)
        hardest = self._hardest(pressed)
        if hardest.level >= from_level:
            raise self._refusal(hardest, from_level, f"{name} priority is not admitted")

    def _check_share(self, space: str, priority: Priority) -> None:
        shares = self._lanes.shares
        shares.claim(space, priority)
        share = shares.excess(space, priority, self._lanes.fill(priority))
        if share is None:
            return
        (capacity,) = [lane.capacity for lane in self._lanes.statistics().lanes if lane.priority is priority]
        name, fill, fill_max = priority.name.lower(), f"{share.fill:.0%}", f"{share.fill_max:.0%}"
        raise OverCapacity(
            f"space {space} fills {fill} of the {name} lane; its share, beside others, is {fill_max}",
            code="lane_share",
            field=f"{name}_lane_share",
            limit=fill_max,
            value=fill,
            retry_after_ms=self._lanes.time_to_drain_ms(max(1, round((share.fill - share.fill_max) * capacity))),
        )

    def _pressed(self, space: SpaceEngine) -> _Pressed:
        name = space.config.name
        pressed = self._spaces.get(name)
        if pressed is None:
            lanes, tail = LanesGauge(self._lanes, name), TailGauge(space.tail)
            self._spaces[name] = pressed = _Pressed(
                name, tail, _Meter(tail, self._thresholds), _Meter(lanes, self._thresholds), lanes
            )
        elif pressed.gauge.measures(space.tail):
            return pressed
        else:
            # The space has rested meanwhile.
            pressed.gauge.set(space.tail)
        WatermarkRelay(space, self._mailbox, lambda *_: self._look_soon_at(name))
        return pressed

    def _look_soon_at(self, name: str) -> None:
        if not self._due:
            self._soon(self._look_at_due)
        self._due.add(name)

    def _look_at_due(self) -> None:
        due, self._due = self._due, set()
        for name in due & self._spaces.keys():
            self._look(self._spaces[name])

    def _look(self, pressed: _Pressed) -> None:
        before = self._queue.level
        # All gauges of the lanes read the same numbers: gathering them costs more than reading them.
        statistics = self._lanes.statistics()
        self._queue.take(self._lanes_gauge.reading_of(statistics))
        pressed.look(statistics)
        self._announce(pressed)
        if max(before, self._queue.level) > Level.NORMAL:
            # What one space adds to the lanes changes the pressure on the other spaces that have requests in there.
            for name in self._lanes.shares.waiting() & self._spaces.keys():
                self._spaces[name].look(statistics)
                self._announce(self._spaces[name])

    def _announce(self, pressed: _Pressed) -> None:
        level = max([meter.level for meter in self._meters(pressed)])
        if level > pressed.level:
            self._activations[level] += 1
        pressed.level = level
        if STATES[level] is not pressed.last_sent:
            state, reason = self._status(pressed)
            pressed.last_sent = state
            self._tell(pressed.name, state, reason)

    def _status(self, pressed: _Pressed) -> tuple[StreamState, OverCapacity | None]:
        hardest = self._hardest(pressed)
        state = STATES[hardest.level]
        if state is StreamState.ACTIVE:
            return state, None
        return state, self._refusal(hardest, hardest.level, f"the pressure is {hardest.level.name.lower()}")

    def _hardest(self, pressed: _Pressed) -> _Meter:
        return max(self._meters(pressed), key=lambda meter: (meter.level, meter.reading.fill))

    def _meters(self, pressed: _Pressed) -> list[_Meter]:
        return [pressed.tail, pressed.lanes, *self._ticked]

    def _refusal(self, meter: _Meter, level: Level, consequence: str) -> OverCapacity:
        reading = meter.reading
        return OverCapacity(
            f"{reading.field}{reading.where} is {reading.value} with a limit of {reading.limit}: {consequence}",
            code="backpressure" if meter.level is Level.CRITICAL else "overloaded",
            field=reading.field,
            limit=reading.limit,
            value=reading.value,
            retry_after_ms=reading.time_until_ms(self._thresholds.leave[level - 1]),
        )


class _Meter:
    """A gauge, its last reading, and the level that follows from all readings so far."""

    __slots__ = ("_gauge", "_hysteresis", "reading")

    def __init__(self, gauge: Gauge, thresholds: Thresholds) -> None:
        self._gauge = gauge
        self._hysteresis = Hysteresis(thresholds)
        self.reading = self.look()

    @property
    def level(self) -> Level:
        return self._hysteresis.level

    def look(self) -> Reading:
        return self.take(self._gauge.read())

    def take(self, reading: Reading) -> Reading:
        self.reading = reading
        self._hysteresis.feed(reading.fill)
        return reading


@dataclass(slots=True)
class _Pressed:
    """A space that receives writes: the meters of its tail and the lanes, its last level, and the last state sent."""

    name: str
    gauge: TailGauge
    tail: _Meter
    lanes: _Meter
    lanes_gauge: LanesGauge
    last_sent: StreamState = StreamState.ACTIVE
    level: Level = Level.NORMAL

    def look(self, statistics: LanesStatistics) -> None:
        """Read both gauges, the second from `statistics`."""
        self.tail.look()
        self.lanes.take(self.lanes_gauge.reading_of(statistics))
