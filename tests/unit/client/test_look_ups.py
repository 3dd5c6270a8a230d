"""Look-ups of many ids by a client: in calls that a server takes, all as of the generation of the first one."""

from __future__ import annotations

from typing import Any

from engram.client.calls import Calls
from engram.client.collection.async_collection import AsyncCollection
from engram.errors import InvalidInput
from engram.model.hit import Hits
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.requests import Get
from tests.unit.wire.test_recalls import make_hit

# The hits of these tests are found at 4 s.
EXPIRIES_US = {"gone": 4_000_000, "alive": 4_000_001}


class Answering:
    """A transport that finds all ids as of generation 7, of which two expire, and keeps what was asked."""

    address = "somewhere"

    def __init__(self, count_max: int = BATCH_COUNT_MAX) -> None:
        self._count_max = count_max
        self.asked: list[Get] = []

    def check(self) -> None:
        pass

    async def call(self, request: Any, timeout_s: float) -> Any:
        self.asked.append(request)
        if len(request.ids) > self._count_max:
            raise InvalidInput("too large", code="results_bytes")
        return Hits([make_hit(name, expires_us=EXPIRIES_US.get(name)) for name in request.ids], 7)

    def parts(self) -> list[tuple[int, int | None]]:
        return [(len(request.ids), request.max_generation) for request in self.asked]


def space_of(transport: Any) -> AsyncCollection:
    return AsyncCollection(Calls(transport, 60.0), "notes")


async def test_what_expired_is_in_no_part_of_a_look_up_of_now() -> None:
    transport = Answering()
    # A call that names a generation finds what has expired since, and that of the second part does.
    wanted = [*(f"n{row}" for row in range(BATCH_COUNT_MAX)), "gone", "alive"]
    found = await space_of(transport).get(wanted)
    assert transport.parts() == [(BATCH_COUNT_MAX, None), (2, 7)]
    assert [hit and hit.id for hit in found] == [*wanted[:-2], None, "alive"]
    assert found.generation == 7


async def test_what_expired_is_in_neither_half_of_what_was_too_large() -> None:
    transport = Answering(2)
    found = await space_of(transport).get(["a", "b", "gone", "alive"])
    assert transport.parts() == [(4, None), (2, None), (2, 7)]
    assert [hit and hit.id for hit in found] == ["a", "b", None, "alive"]


async def test_what_has_expired_since_is_found_as_of_a_generation() -> None:
    found = await space_of(Answering()).get(["gone", "alive"], max_generation=7)
    assert [hit and hit.id for hit in found] == ["gone", "alive"]
