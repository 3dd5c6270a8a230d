"""No future is left unanswered, whatever fails between the caller and the server; and only what failed, fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from engram.client.sending.micro_batch import OpenBatch, seal
from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.outgoing_batch import OutgoingBatch
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.send_window import SendWindow
from engram.client.sending.stream_options import StreamOptions
from engram.errors import EngramError, InvalidInput, SequenceError, Unavailable
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from tests.doubles.batches import row_of
from tests.unit.client.fake_transport import FakeConnection, FakeServer

CONFIG = SpaceConfig("test", dim=8)
WITH_EMBEDDER = SpaceConfig("test", dim=8, embedder="lexical")
OPTIONS = StreamOptions(patience_s=20, silence_s=10, close_s=5, refusal_delay_ms=1)
WAIT_S = 10
VECTOR = np.ones(8, np.float32)

Encode = Callable[[ObservationBatch], Any]


def ids_of(batch: ObservationBatch) -> list[str]:
    return list(batch.ids)


def failing(*bad: str, error: Exception) -> Encode:
    """An encoder that fails for every batch with one of these ids, as protobuf does for what it cannot carry."""

    def encode(batch: ObservationBatch) -> list[str]:
        if set(bad) & set(batch.ids):
            raise error
        return list(batch.ids)

    return encode


def observing(server: FakeServer, encode: Encode, config: SpaceConfig = CONFIG) -> ObserveSession:
    # A long linger, so that all rows of a test leave as one batch.
    limits = OutboxLimits(linger_ms=20)
    return ObserveSession(server, config, encode, limits=limits, options=OPTIONS)


def offer(
    stream: ObserveSession, id: str, vector: Any = VECTOR, content: str = "", **details: Any
) -> asyncio.Future[Ack]:
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    assert stream.add(future, OneObservation(id, vector, content, cast("Any", details))) is None
    return future


async def outcomes(futures: list[asyncio.Future[Ack]]) -> list[Ack | BaseException]:
    return await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), WAIT_S)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        OverflowError("int too large"),
        ValueError("embedded null byte"),
        TypeError("bad argument"),
        MemoryError(),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_row_that_cannot_be_encoded_fails_alone_and_typed(error: Exception) -> None:
    server = FakeServer()
    stream = observing(server, failing("b", error=error))
    futures = [offer(stream, id) for id in "abc"]
    first, bad, last = await outcomes(futures)
    assert (first, last) == (Ack(1, 1, 1, 1), Ack(2, 2, 2, 2))
    assert isinstance(bad, InvalidInput)
    assert bad.code == "not_storable"
    assert server.stored == ["a", "c"]
    assert (await outcomes([offer(stream, "d")])) == [Ack(3, 3, 3, 3)]
    assert (stream.outbox.count, stream.outbox.nbytes) == (0, 0)
    await stream.drain(WAIT_S)


async def test_rows_that_can_be_sent_alone_and_not_together_are_all_told() -> None:
    def encode(batch: ObservationBatch) -> list[str]:
        if len(batch) > 1:
            raise ValueError("too large")
        return list(batch.ids)

    stream = observing(FakeServer(), encode)
    refused = await outcomes([offer(stream, id) for id in "abc"])
    assert [type(error) for error in refused] == [InvalidInput] * 3
    assert stream.outbox.count == 0
    assert (await outcomes([offer(stream, "d")])) == [Ack(1, 1, 1, 1)]
    await stream.drain(WAIT_S)


async def test_only_rows_that_fail_are_flushed_and_drained_like_others() -> None:
    server = FakeServer()
    stream = observing(server, failing("a", "b", error=ValueError("no")))
    futures = [offer(stream, "a"), offer(stream, "b")]
    await asyncio.wait_for(asyncio.wrap_future(stream.outbox.flushed()), WAIT_S)
    assert [type(error) for error in await outcomes(futures)] == [InvalidInput] * 2
    assert isinstance(stream.outbox.take_error(), InvalidInput)
    await stream.drain(WAIT_S)
    assert server.stored == []


async def test_an_empty_text_does_not_take_down_the_texts_beside_it() -> None:
    server = FakeServer()
    stream = observing(server, ids_of, WITH_EMBEDDER)
    texts = {"a": "rain", "b": " ", "c": "snow"}
    first, bad, last = await outcomes([offer(stream, id, None, text) for id, text in texts.items()])
    assert (first, last) == (Ack(1, 1, 1, 1), Ack(2, 2, 2, 2))
    assert isinstance(bad, InvalidInput)
    assert bad.code == "empty_text"
    await stream.drain(WAIT_S)


@pytest.mark.parametrize(
    "details",
    [
        {"timestamp": 1_764_000_000 * 10**9},
        {"timestamp": float("nan")},
        {"timestamp": np.datetime64("NaT")},
        {"timestamp": True},
        {"confidence": "0.5"},
        {"confidence": "1"},
        {"importance": 1j},
        {"importance": True},
        {"tags": "urgent"},
        {"tags": ["a", 5]},
        {"tags": ["\ud800"]},
        {"metadata": [("a", 1)]},
        {"metadata": {"a": float("inf")}},
        {"content": 5},
        {"content": "\udfff"},
        {"id": 7},
        {"id": "\ud800"},
        {"id": None},
        {"vector": VECTOR + 1j},
        {"vector": "12345678"},
        {"vector": np.ma.array(VECTOR)},
    ],
    ids=repr,
)
async def test_what_is_wrong_by_type_is_refused_at_once_and_leaves_nothing(details: dict[str, Any]) -> None:
    server = FakeServer()
    stream = observing(server, ids_of)
    before = offer(stream, "a")
    with pytest.raises(InvalidInput) as caught:
        offer(stream, **{"id": "b", **details})
    str(caught.value).encode()
    assert await outcomes([before, offer(stream, "c")]) == [Ack(1, 1, 1, 1), Ack(2, 2, 2, 2)]
    assert stream.outbox.count == 0
    await stream.drain(WAIT_S)


@pytest.mark.parametrize("ids", ["abc", b"abc", None, 5, {"a": 1}, ["a", 5], ["a", "\ud800"], ["a", b"b"]], ids=repr)
async def test_a_batch_of_no_list_is_refused_at_once(ids: Any) -> None:
    stream = observing(FakeServer(), ids_of)
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    with pytest.raises(InvalidInput):
        stream.add(future, ManyObservations(ids, np.ones((2, 8), np.float32), None, {}).batch(CONFIG))
    assert stream.outbox.count == 0
    await stream.drain(WAIT_S)


async def test_whoever_waits_for_a_connection_learns_that_the_client_was_closed() -> None:
    server = FakeServer()
    server.refuse_connect.extend([Unavailable("away")] * 1000)
    stream = observing(server, ids_of)
    waiting = asyncio.ensure_future(stream.stream.connected())
    await stream.drain(WAIT_S)
    with pytest.raises(EngramError):
        await asyncio.wait_for(waiting, WAIT_S)


async def test_a_row_whose_listener_is_gone_does_not_keep_the_answer_from_the_others() -> None:
    stream = observing(FakeServer(), ids_of)
    gone = asyncio.new_event_loop()
    orphan: asyncio.Future[Ack] = gone.create_future()
    orphan.add_done_callback(lambda _: None)
    gone.close()
    assert stream.add(orphan, OneObservation("a", VECTOR, "", {})) is None
    assert await outcomes([offer(stream, "b")]) == [Ack(2, 2, 2, 2)]
    assert stream.outbox.count == 0
    await stream.drain(WAIT_S)


def test_a_window_that_finds_other_data_gives_back_all_it_held() -> None:
    window = SendWindow(100)
    batches = [OutgoingBatch(None, 2, 0, lambda _: None, index) for index in range(3)]
    for batch in batches:
        window.send(batch)
    window.disconnected()
    with pytest.raises(SequenceError):
        window.resumed(durable_sequence=3, generation=3)  # In the middle of the second batch.
    lost = Unavailable("lost")
    assert window.abandon(lost) == [(batch, lost) for batch in batches]


async def test_a_stream_that_finds_other_data_answers_all_it_held() -> None:
    server = FakeServer()
    stream = observing(server, ids_of)

    def hold(connection: FakeConnection, payload: list[str], first: int) -> bool:
        server.stored.extend(payload)
        if first >= 3:
            # Stored, and gone before it said so; what comes back ends in the middle of a batch.
            server.stored.pop()
            connection.break_off()
        return True

    server.on_message = hold
    futures: list[asyncio.Future[Ack]] = []
    for ids in (["a", "b"], ["c", "d"]):
        futures.append(asyncio.get_running_loop().create_future())
        batch = ManyObservations(ids, np.ones((2, 8), np.float32), None, {}).batch(CONFIG)
        assert stream.add(futures[-1], batch) is None
    assert [type(error) for error in await outcomes(futures)] == [SequenceError] * 2


def test_sealing_never_raises_and_forgets_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = OpenBatch(index=0, opened_s=0.0)
    for id in "abc":
        rows.append(row_of(CONFIG, id, VECTOR, ""), lambda answer: None)

    def broken(*_: object) -> None:
        raise RuntimeError("a defect of the check")

    monkeypatch.setattr("engram.client.sending.micro_batch.check_embeddable", broken)
    sealed = seal(rows, CONFIG, ids_of)
    assert sealed.payload is None
    assert [(row.id, error.code) for row, _, error in sealed.refused] == [(id, "not_storable") for id in "abc"]
