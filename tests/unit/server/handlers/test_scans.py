"""A page that is too large for one message is answered in parts, between which nothing is missing and nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engram.errors import InvalidInput
from engram.model.operations.requests import Observe
from engram.model.operations.results import RESULTS_BYTES
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.handlers import scans, writes
from engram.server.options import ServerOptions
from tests.doubles.batches import DIM, batch_of

SPACE = "default"
IDS = [f"id-{number}" for number in (3, 1, 4, 15, 9, 2, 6)]


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig(SPACE, DIM)))
    await writes.observe(engine, Observe(SPACE, batch_of(IDS)), lambda ack: ack)
    yield engine
    await engine.close()


def fitting(page: ScanPage, large: str) -> ScanPage:
    """Refuse what is too large: pages of more than two observations, or with a large one beside another."""
    ids = [hit.id for hit in page]
    if len(ids) > 2 or (large in ids and len(ids) > 1):
        raise InvalidInput("the results are too large", code=RESULTS_BYTES)
    return page


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("order", ["generation", "time", "id"])
async def test_a_page_that_is_too_large_is_cut(order: str, reverse: bool, engine: Engine) -> None:
    expected = sorted(IDS) if order == "id" else IDS
    pages, cursor = list[ScanPage](), ""
    while not pages or cursor:
        assert len(pages) < len(IDS)
        request = ReadPage(SPACE, order=order, reverse=reverse, page_size=5, cursor=cursor)
        pages.append(await scans.scan(engine, request, lambda page: fitting(page, "id-4")))
        cursor = pages[-1].cursor
    found = [hit.id for page in pages for hit in page]
    assert found == (expected[::-1] if reverse else expected)
    assert {page.generation for page in pages} == {len(IDS)}


async def test_one_observation_that_is_too_large_is_refused(engine: Engine) -> None:
    def refuse(page: ScanPage) -> ScanPage:
        raise InvalidInput("the results are too large", code=RESULTS_BYTES)

    with pytest.raises(InvalidInput, match="too large"):
        await scans.scan(engine, ReadPage(SPACE), refuse)
