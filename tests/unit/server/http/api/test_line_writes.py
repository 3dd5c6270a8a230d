"""Observations as lines: what is good is stored, what is not is named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from engram.errors import OverCapacity, Unavailable
from engram.model.ack import Ack
from engram.server.http.api import ingest_lines
from engram.server.http.api.ingest_lines import ERRORS_MAX, store_lines
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, Arriving, ReceiveBudget
from tests.doubles.asgi import HOST, Answered, ask
from tests.unit.server.http.api.conftest import DIM, NOTES, Service
from tests.unit.server.http.api.test_lines import parts

LINES = ("content-type", "application/x-ndjson")
PATH = f"{NOTES}/observations"


def line(id: str, dim: int = DIM, **fields: Any) -> bytes:
    return json.dumps({"id": id, "vector": [1.0] * dim, **fields}).encode()


async def stored_ids(service: Service, ids: Iterable[str]) -> list[str]:
    answered = await service.post(f"{NOTES}/get", json.dumps({"ids": list(ids)}))
    return [hit["id"] for hit in answered.json()["hits"]]


def room(bytes_max: int = 2**30) -> Arriving:
    return Arriving(ReceiveBudget(bytes_max))


async def test_many_lines_are_stored_in_order(service: Service) -> None:
    names = [f"n{number}" for number in range(1000)]
    body = b"\n".join(map(line, names))
    pieces = [body[start : start + 4096] for start in range(0, len(body), 4096)]
    answered = await service.post(PATH, pieces, LINES)
    assert (answered.status, answered.json()) == (
        200,
        {"first_generation": 1, "last_generation": 1000, "count": 1000, "rejected": 0, "errors": []},
    )
    assert await stored_ids(service, names) == names


async def test_a_bad_line_in_the_middle_is_named_and_the_good_ones_stand(service: Service) -> None:
    bad = {3: b"nonsense", 150: line("short", dim=3), 300: b'{"id": "x", "vektor": []}', 301: b"\xff"}
    body = b"\n".join(bad.get(number, line(f"n{number}")) for number in range(1, 401))
    answered = await service.post(PATH, body, LINES)
    told = answered.json()
    assert (answered.status, told["count"], told["rejected"]) == (207, 396, 4)
    assert {error["line"]: error["code"] for error in told["errors"]} == {
        3: "malformed_message",
        150: "dimension_mismatch",
        300: "unknown_field",
        301: "malformed_message",
    }
    assert len(await stored_ids(service, [f"n{number}" for number in range(1, 401)])) == 396
    status = (await service.get("/api/v1/status")).json()
    assert (status["observations_accepted"], status["observations_rejected"]) == (396, 4)


async def test_lines_may_differ_in_kind_and_have_no_id(service: Service) -> None:
    body = [
        line("a"),
        line("b", priority="high"),
        json.dumps({"vector": "AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8="}).encode(),
        line("a", content="again"),
    ]
    answered = await service.post(PATH, b"\n".join(body), LINES)
    assert (answered.status, answered.json()["count"]) == (200, 4)


async def test_a_line_of_nothing_is_no_observation(service: Service) -> None:
    answered = await service.post(PATH, b"{}\n" + line("a"), LINES)
    told = answered.json()
    assert (told["count"], [error["code"] for error in told["errors"]]) == (1, ["invalid_arguments"])


async def test_nothing_good_is_an_error_with_all_parts(service: Service) -> None:
    answered = await service.post(PATH, b"1\n" * (ERRORS_MAX + 5), LINES)
    told = answered.json()
    assert (answered.status, told["code"], told["rejected"]) == (400, "malformed_message", ERRORS_MAX + 5)
    assert len(told["errors"]) == ERRORS_MAX
    assert (await service.post(PATH, b"", LINES)).json()["count"] == 0


async def test_what_concerns_all_lines_is_refused_before_the_first(service: Service) -> None:
    answered = await service.post("/api/v1/spaces/nowhere/observations", line("a"), LINES)
    assert (answered.status, answered.json()["kind"]) == (404, "not_found")
    answered = await service.post(PATH, line("a"), LINES, ("idempotency-key", "k"))
    assert (answered.status, answered.json()["code"]) == (400, "invalid_idempotency_key")
    answered = await service.post(f"{NOTES}/recall", line("a"), LINES)
    assert (answered.status, answered.json()["code"]) == (415, "media_type")


async def test_a_body_that_is_cut_off_stores_no_half_line(service: Service) -> None:
    whole = b"".join(line(f"n{number}") + b"\n" for number in range(300)) + line("half")
    answered = await ask(service.app, "POST", PATH, [HOST, LINES], [whole[:-5]], is_cut_off=True)
    assert answered == Answered()
    assert await stored_ids(service, ["half"]) == []
    assert len(await stored_ids(service, [f"n{number}" for number in range(256)])) == 256


async def test_want_of_room_holds_the_client_back_and_is_told_if_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("engram.server.http.api.ingest_lines.asyncio.sleep", sleep)
    failures: list[Exception] = [OverCapacity("full", code="lane_full", retry_after_ms=50)] * 3
    taken: list[bytes] = []

    async def store(lines: list[bytes]) -> Ack:
        if failures:
            raise failures.pop()
        taken.extend(lines)
        return Ack(0, 0, 1, len(lines))

    stored = await store_lines(parts([b"a\nb"]), store, room())
    assert (stored.count, stored.rejected, waited) == (2, 0, [0.05] * 3)
    failures = [OverCapacity("full", code="lane_full", retry_after_ms=50)] * 1000
    with pytest.raises(OverCapacity):
        await store_lines(parts([b"a\nb"]), store, room())
    failures = [Unavailable("broken", code="log_failed")]
    with pytest.raises(Unavailable):
        await store_lines(parts([b"a\nb"]), store, room())
    monkeypatch.setattr(ingest_lines, "_BATCH_LINES", 1)
    taken.clear()

    async def store_one(lines: list[bytes]) -> Ack:
        if taken:
            raise Unavailable("broken", code="log_failed")
        return await store(lines)

    stored = await store_lines(parts([b"a\nb\nc"]), store_one, room())
    assert (stored.count, [error["line"] for error in stored.errors]) == (1, [2])


async def test_lines_for_which_there_is_no_room_end_the_reading() -> None:
    taken: list[bytes] = []

    async def store(lines: list[bytes]) -> Ack:
        taken.extend(lines)
        return Ack(0, 0, 1, len(lines))

    long = b"x" * (UNCOUNTED_BYTES // 200)
    body = b"\n".join([long] * 1000)
    budget = ReceiveBudget(UNCOUNTED_BYTES)
    stored = await store_lines(parts([body]), store, Arriving(budget))
    assert (stored.count, stored.rejected, len(taken), budget.nbytes) == (1000, 0, 1000, 0)
    with pytest.raises(OverCapacity) as caught:
        await store_lines(parts([body]), store, room(1000))
    assert caught.value.code == "unfinished_bytes"
    budget = ReceiveBudget(1000)
    stored = await store_lines(parts([b"\n".join([b"short"] * 256 + [long] * 256)]), store, Arriving(budget))
    assert (stored.count, [error["line"] for error in stored.errors]) == (256, [257])
    assert (stored.errors[0]["code"], budget.nbytes) == ("unfinished_bytes", 0)


async def test_a_line_that_never_ends_counts_while_it_arrives() -> None:
    held: list[int] = []
    budget = ReceiveBudget(4 * UNCOUNTED_BYTES)

    async def store(lines: list[bytes]) -> Ack:
        return Ack(0, 0, 1, len(lines))

    async def arrive(count: int) -> AsyncIterator[bytes]:
        yield b"first\n"
        for _ in range(count):
            yield b"x" * UNCOUNTED_BYTES
            held.append(budget.nbytes)

    stored = await store_lines(arrive(4), store, Arriving(budget))
    assert (stored.count, held, budget.nbytes) == (2, [len("first") + n * UNCOUNTED_BYTES for n in range(4)], 0)
    with pytest.raises(OverCapacity) as caught:
        await store_lines(arrive(6), store, Arriving(budget))
    assert (caught.value.code, budget.nbytes) == ("unfinished_bytes", 0)
