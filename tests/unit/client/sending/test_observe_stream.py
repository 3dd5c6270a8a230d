"""The stream over a fake transport: what reaches the server and what callers are told, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.rate_control import ServerLoad
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.transport import LoadChange, Refused, SessionError
from engram.errors import (
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    SequenceError,
    Unavailable,
)
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from tests.unit.client.clock import WAIT_S, pass_time, until
from tests.unit.client.fake_transport import FakeConnection, FakeServer

CONFIG = SpaceConfig("test", dim=8)
OPTIONS = StreamOptions(patience_s=20, silence_s=10, close_s=5, refusal_delay_ms=1)

Start = Callable[..., "Driver"]


class Driver:
    """A stream under test, and the means to feed it."""

    def __init__(self, server: FakeServer, options: StreamOptions, limits: OutboxLimits, **session: Any) -> None:
        def encode(batch: ObservationBatch) -> list[str]:
            return list(batch.ids)

        self.observing = ObserveSession(server, CONFIG, encode, limits=limits, options=options, **session)

    def row(self, id: str, vector: Any = None) -> asyncio.Future[Ack]:
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        one = OneObservation(id, np.ones(8) if vector is None else vector, "", {})
        assert self.observing.add(future, one) is None
        return future

    def batch(self, *ids: str) -> asyncio.Future[Ack]:
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        batch = ManyObservations(ids, np.ones((len(ids), 8)), None, {}).batch(CONFIG)
        assert self.observing.add(future, batch) is None
        return future

    async def flushed(self) -> None:
        await asyncio.wait_for(asyncio.wrap_future(self.observing.outbox.flushed()), WAIT_S)


@pytest.fixture
async def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def start(server: FakeServer) -> AsyncIterator[Start]:
    drivers: list[Driver] = []

    def make(options: StreamOptions = OPTIONS, limits: OutboxLimits | None = None, **session: str) -> Driver:
        drivers.append(Driver(server, options, limits or OutboxLimits(), **session))
        return drivers[-1]

    yield make
    for driver in drivers:
        await driver.observing.drain(timeout_s=0)


async def answer(future: asyncio.Future[Ack]) -> Ack | EngramError:
    try:
        return await asyncio.wait_for(future, WAIT_S)
    except EngramError as error:
        return error


def first_message_only(
    behaviour: Callable[[FakeConnection, list[str], int], None],
) -> Callable[[FakeConnection, list[str], int], bool]:
    """Do something else than usual with the first message, once."""
    pending = [behaviour]

    def on_message(connection: FakeConnection, payload: list[str], first: int) -> bool:
        if not pending:
            return False
        pending.pop()(connection, payload, first)
        return True

    return on_message


async def test_observations_are_numbered_stored_in_order_and_acknowledged(server: FakeServer, start: Start) -> None:
    driver = start()
    futures = [driver.row("a"), driver.batch("b", "c"), driver.row("d")]
    assert [await answer(future) for future in futures] == [Ack(1, 1, 1, 1), Ack(2, 3, 2, 3), Ack(4, 4, 4, 4)]
    assert server.stored == ["a", "b", "c", "d"]
    assert (driver.observing.stream.session_id, driver.observing.stream.durable_sequence) == ("session-1", 4)


async def test_single_observations_travel_together(server: FakeServer, start: Start) -> None:
    driver = start()
    futures = [driver.row(f"id-{number}") for number in range(300)]
    acks = [await answer(future) for future in futures]
    assert acks == [Ack(n, n, n, n) for n in range(1, 301)]
    assert server.received == 2


async def test_a_bad_single_observation_fails_alone(server: FakeServer, start: Start) -> None:
    driver = start()
    good, bad, also_good = driver.row("a"), driver.row("b", np.zeros(8)), driver.row("c")
    assert isinstance(await answer(bad), InvalidInput)
    assert await answer(good) == Ack(1, 1, 1, 1)
    assert await answer(also_good) == Ack(2, 2, 2, 2)
    await driver.flushed()
    assert driver.observing.outbox.count == 0


async def test_only_bad_observations_leave_nothing_behind(start: Start) -> None:
    driver = start()
    bad = driver.row("b", np.zeros(8))
    await driver.flushed()
    assert isinstance(await answer(bad), InvalidInput)
    assert (driver.observing.outbox.count, driver.observing.outbox.nbytes) == (0, 0)


async def test_what_a_lost_connection_swallowed_is_sent_again(server: FakeServer, start: Start) -> None:
    server.on_message = first_message_only(lambda connection, payload, first: connection.break_off())
    driver = start()
    futures = [driver.batch("a", "b"), driver.batch("c")]
    assert [await answer(future) for future in futures] == [Ack(1, 2, 1, 2), Ack(3, 3, 3, 3)]
    assert server.stored == ["a", "b", "c"]
    first, again = server.greetings
    assert (first.session_id, first.known_sequence) == ("", None)
    assert (again.session_id, again.known_sequence) == ("session-1", 0)
    assert again.writer == first.writer != 0


async def test_a_lost_ack_is_learned_of_by_resuming(server: FakeServer, start: Start) -> None:
    def store_silently(connection: FakeConnection, payload: list[str], first: int) -> None:
        server.store(connection, payload, first, tell=False)
        connection.break_off()

    server.on_message = first_message_only(store_silently)
    driver = start()
    assert await answer(driver.batch("a", "b")) == Ack(1, 2, 2, 2, exact=False)
    assert server.stored == ["a", "b"]


async def test_a_full_server_gets_the_same_numbers_again_later(server: FakeServer, start: Start) -> None:
    def refuse(connection: FakeConnection, payload: list[str], first: int) -> None:
        full = OverCapacity("full", retry_after_ms=5)
        connection.events.put_nowait(Refused(first, first + len(payload) - 1, full))

    server.on_message = first_message_only(refuse)
    driver = start()
    futures = [driver.batch("a", "b"), driver.batch("c")]
    assert [await answer(future) for future in futures] == [Ack(1, 2, 1, 2), Ack(3, 3, 3, 3)]
    assert server.stored == ["a", "b", "c"]
    assert len(server.connections) == 1


async def test_a_refused_batch_fails_and_the_next_takes_its_numbers(server: FakeServer, start: Start) -> None:
    def refuse(connection: FakeConnection, payload: list[str], first: int) -> None:
        connection.events.put_nowait(Refused(first, first + len(payload) - 1, InvalidInput("row 1 is bad")))

    server.on_message = first_message_only(refuse)
    driver = start()
    bad, good = driver.batch("a", "b"), driver.batch("c")
    error = await answer(bad)
    assert isinstance(error, InvalidInput)
    assert await answer(good) == Ack(1, 1, 1, 1)
    assert server.stored == ["c"]
    assert driver.observing.outbox.take_error() is error


async def test_an_unreachable_server_is_tried_again(server: FakeServer, start: Start) -> None:
    server.refuse_connect.extend([Unavailable("refused"), EngramError("reset", code="cancelled")])
    driver = start()
    assert await answer(driver.row("a")) == Ack(1, 1, 1, 1)
    assert len(server.greetings) == 3


async def test_a_missing_space_fails_everything_at_once(server: FakeServer, start: Start) -> None:
    server.refuse_connect.append(NotFound("no such space"))
    driver = start()
    futures = [driver.row("a"), driver.batch("b")]
    assert [type(await answer(future)) for future in futures] == [NotFound, NotFound]
    with pytest.raises(NotFound):
        await driver.observing.stream.connected()
    with pytest.raises(NotFound):
        driver.row("c")


async def test_patience_ends(server: FakeServer, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server.refuse_connect.extend([Unavailable("refused")] * 1000)
    driver = start()
    future = driver.row("a")
    await until(lambda: bool(server.greetings))
    await pass_time(monkeypatch, OPTIONS.patience_s + 1)
    error = await answer(future)
    assert isinstance(error, Unavailable)
    assert (error.code, error.limit) == ("gave_up", "20")
    assert "refused" in error.message


async def test_a_server_that_only_refuses_exhausts_patience_too(
    server: FakeServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: FakeConnection, payload: list[str], first: int) -> bool:
        connection.events.put_nowait(Refused(first, first, OverCapacity("full", retry_after_ms=1)))
        return True

    server.on_message = refuse
    driver = start(replace(OPTIONS, silence_s=1000))
    future = driver.row("a")
    # The second time it has heard of the first refusal.
    await until(lambda: server.received >= 2)
    await pass_time(monkeypatch, OPTIONS.patience_s + 1)
    error = await answer(future)
    assert isinstance(error, OverCapacity)
    assert error.code == "gave_up"


async def test_a_server_that_owes_answers_and_is_silent_is_asked_anew(
    server: FakeServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on_message = first_message_only(lambda connection, payload, first: None)
    driver = start()
    future = driver.row("a")
    await until(lambda: server.received == 1)
    await pass_time(monkeypatch, OPTIONS.silence_s + 1)
    assert await answer(future) == Ack(1, 1, 1, 1)
    assert len(server.connections) == 2


async def test_an_idle_server_may_be_silent(server: FakeServer, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = start()
    await answer(driver.row("a"))
    # `silence_s` and `patience_s` pass several times while the stream has nothing to do.
    for _ in range(5):
        await pass_time(monkeypatch, OPTIONS.patience_s + OPTIONS.silence_s)
    assert await answer(driver.row("b")) == Ack(2, 2, 2, 2)
    assert len(server.connections) == 1


async def test_a_client_that_was_idle_for_longer_than_its_patience_has_all_of_it_again(
    server: FakeServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # While idle, the sender looks at the clock every quarter of `silence_s`, which is later than `patience_s`.
    driver = start(replace(OPTIONS, patience_s=2, silence_s=1000))
    monkeypatch.setattr(driver.observing.outbox, "_clock", lambda: asyncio.get_running_loop().time())
    await answer(driver.row("a"))
    await pass_time(monkeypatch, 3)
    assert await answer(driver.row("b")) == Ack(2, 2, 2, 2)


async def test_a_paused_stream_sends_nothing_until_it_goes_on(server: FakeServer, start: Start) -> None:
    driver = start()
    await answer(driver.row("a"))
    connection = server.connections[0]
    connection.events.put_nowait(LoadChange(ServerLoad.PAUSED))
    await asyncio.wait_for(connection.events.join(), WAIT_S)
    future = driver.batch("b")
    for _ in range(50):
        await asyncio.sleep(0)
    assert server.stored == ["a"]
    connection.events.put_nowait(LoadChange(ServerLoad.ACTIVE))
    assert await answer(future) == Ack(2, 2, 2, 2)


async def test_the_flight_respects_the_servers_queue(server: FakeServer, start: Start) -> None:
    server.queue_capacity = 8
    server.on_message = lambda connection, payload, first: True
    driver = start()
    for number in range(6):
        driver.batch(str(number))
    await asyncio.wait_for(server.connected.wait(), WAIT_S)
    for _ in range(50):
        await asyncio.sleep(0)
    assert server.received == 3


async def test_a_taken_over_session_is_not_fought_for(server: FakeServer, start: Start) -> None:
    taken = FailedPrecondition("resumed by a newer connection", code="session_taken_over")
    server.on_message = first_message_only(lambda connection, *_: connection.events.put_nowait(SessionError(taken)))
    driver = start()
    told = await answer(driver.row("a"))
    assert isinstance(told, FailedPrecondition)
    assert told.code == "session_taken_over"
    assert len(server.connections) == 1
    with pytest.raises(FailedPrecondition) as caught:
        driver.observing.check_may_begin_anew()
    assert caught.value.code == "session_taken_over"


async def test_who_comes_back_after_another_client_is_told_so_and_gets_no_acks_of_its_data(
    server: FakeServer, start: Start
) -> None:
    """The other's data stand under the very numbers that this one has unanswered."""
    taken = FailedPrecondition("another client has gone on", code="session_taken_over")

    def lose(connection: FakeConnection, payload: list[str], first: int) -> None:
        server.stored += ["of the other", "of the other"]
        server.refuse_connect.append(taken)
        connection.break_off()

    server.on_message = first_message_only(lose)
    driver = start()
    assert await answer(driver.batch("a", "b")) is taken
    assert [greeting.known_sequence for greeting in server.greetings] == [None, 0]


def test_what_is_finished_on_another_loop_says_what_is_known_of_the_session() -> None:
    """Only then the server compares who stored what, and another client's data are not taken for this one's."""
    server = FakeServer()
    sent: Future[None] = Future()

    def keep(connection: FakeConnection, payload: list[str], first: int) -> bool:
        if first == 1:
            return False
        sent.set_result(None)
        server.on_message = lambda *_: False
        return True

    async def close() -> None:
        pass

    server.on_message = keep
    acks: list[Future[Ack]] = [Future(), Future()]

    async def begin() -> Driver:
        driver = Driver(server, OPTIONS, OutboxLimits(), reopen=lambda: server)
        for number, ack in enumerate(acks):
            batch = ManyObservations([f"id-{number}"], np.ones((1, 8)), None, {}).batch(CONFIG)
            assert driver.observing.add(ack, batch) is None
        await asyncio.wait_for(asyncio.wrap_future(sent), WAIT_S)
        return driver

    loop = asyncio.new_event_loop()
    driver = loop.run_until_complete(begin())
    driver.observing.end(WAIT_S)
    loop.close()
    assert server.disconnected
    assert [ack.result(0).last_sequence for ack in acks] == [1, 2]
    assert [greeting.known_sequence for greeting in server.greetings] == [None, 1]


async def test_the_incarnation_that_was_told_is_sent_on_resuming(server: FakeServer, start: Start) -> None:
    server.incarnation = "the first"
    driver = start()
    await answer(driver.row("a"))
    server.refuse_connect.append(FailedPrecondition("restored", code="other_incarnation"))
    server.connections[0].break_off()
    await asyncio.wait_for(asyncio.wait([driver.observing.task]), WAIT_S)
    assert [greeting.incarnation for greeting in server.greetings] == ["", "the first"]
    with pytest.raises(FailedPrecondition, match="restored"):
        driver.row("b")
    with pytest.raises(FailedPrecondition) as caught:
        driver.observing.check_may_begin_anew()
    assert caught.value.code == "other_incarnation"


async def test_a_later_process_says_which_incarnation_it_knew(server: FakeServer, start: Start) -> None:
    server.refuse_connect.append(FailedPrecondition("restored", code="other_incarnation"))
    driver = start(session_id="import-1", incarnation="the first")
    error = await answer(driver.row("a"))
    assert isinstance(error, FailedPrecondition)
    (greeting,) = server.greetings
    assert (greeting.session_id, greeting.incarnation) == ("import-1", "the first")


async def test_a_server_with_other_data_is_reported_not_papered_over(server: FakeServer, start: Start) -> None:
    driver = start()
    await answer(driver.batch("a", "b"))
    server.stored.clear()
    server.connections[0].break_off()
    await asyncio.wait_for(asyncio.wait([driver.observing.task]), WAIT_S)
    with pytest.raises(FailedPrecondition, match="only up to sequence 0, but acknowledged it up to 2") as caught:
        driver.row("c")
    assert caught.value.code == "lost_future"
    with pytest.raises(FailedPrecondition, match="up to 2"):
        driver.observing.check_may_begin_anew()


async def test_a_lost_future_is_told_to_everything_that_is_pending(server: FakeServer, start: Start) -> None:
    driver = start()
    await answer(driver.batch("a", "b"))

    def lose(connection: FakeConnection, payload: list[str], first: int) -> None:
        server.stored.pop()
        connection.break_off()

    server.on_message = first_message_only(lose)
    errors = [await answer(future) for future in (driver.batch("c"), driver.batch("d", "e"))]
    assert [error.code for error in errors if isinstance(error, FailedPrecondition)] == ["lost_future"] * 2
    assert server.stored == ["a"]


async def test_a_server_that_ends_inside_a_batch_leaves_nothing_unanswered(server: FakeServer, start: Start) -> None:
    """Also not what is stored whole before the batch in which the server ends."""

    def lose(connection: FakeConnection, payload: list[str], first: int) -> None:
        server.stored += ["a", "b", "c"]
        connection.break_off()

    driver = start(options=replace(OPTIONS, flight_count_max=4))
    seen: list[int] = []

    def on_message(connection: FakeConnection, payload: list[str], first: int) -> bool:
        seen.append(first)
        if len(seen) == 2:
            lose(connection, payload, first)
        return True

    server.on_message = on_message
    errors = [await answer(future) for future in (driver.batch("a", "b"), driver.batch("c", "d"))]
    assert [error.code for error in errors if isinstance(error, SequenceError)] == ["session_mismatch"] * 2


async def test_a_named_session_continues_where_it_ended(server: FakeServer, start: Start) -> None:
    server.stored = ["old"] * 7
    driver = start(session_id="import-1")
    await driver.observing.stream.connected()
    assert driver.observing.stream.durable_sequence == 7
    assert await answer(driver.row("new")) == Ack(8, 8, 8, 8)
    assert [greeting.session_id for greeting in server.greetings] == ["import-1"]


async def test_draining_sends_everything_and_says_goodbye(server: FakeServer, start: Start) -> None:
    driver = start()
    futures = [driver.row("a"), driver.batch("b", "c")]
    await driver.observing.drain(timeout_s=WAIT_S)
    assert [future.done() for future in futures] == [True, True]
    assert (server.stored, server.closed_at) == (["a", "b", "c"], 3)
    with pytest.raises(FailedPrecondition, match="closed"):
        driver.row("d")


async def test_draining_that_takes_too_long_fails_what_is_left(server: FakeServer, start: Start) -> None:
    server.on_message = lambda connection, payload, first: True
    driver = start()
    future = driver.row("a")
    await driver.observing.drain(timeout_s=0.05)
    error = await answer(future)
    assert isinstance(error, Unavailable)
    assert error.code == "client_closed"


async def test_a_defect_of_the_client_fails_the_futures_too(server: FakeServer, start: Start) -> None:
    def explode(connection: FakeConnection, payload: list[str], first: int) -> bool:
        raise RuntimeError("a bug")

    server.on_message = explode
    driver = start()
    error = await answer(driver.row("a"))
    assert isinstance(error, EngramError)
    assert error.code == "client_failed"


async def test_a_stream_that_goes_on_as_its_loop_ends_is_not_being_cancelled(server: FakeServer, start: Start) -> None:
    """Otherwise its time-outs end it before Python 3.11.4: nobody is told what could not be sent."""
    driver = start()
    pending = driver.row("a")
    await asyncio.sleep(0)
    driver.observing.task.cancel()
    assert await answer(pending) == Ack(1, 1, 1, 1, exact=False)
    assert driver.observing.task.cancelling() == 0


async def test_a_cancelled_future_does_not_disturb_the_others(server: FakeServer, start: Start) -> None:
    driver = start()
    cancelled, kept = driver.row("a"), driver.row("b")
    cancelled.cancel()
    assert await answer(kept) == Ack(2, 2, 2, 2)
    assert server.stored == ["a", "b"]
