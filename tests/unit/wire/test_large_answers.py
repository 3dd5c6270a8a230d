"""Answers that are too large are refused for good, and not made to the end for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.hit import Hit, Hits, StoredRow, received_hit
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.query import Recalled
from engram.model.scans.facets import Facet, Facets, FacetValue
from engram.model.scans.page import ScanPage
from engram.wire import engram_pb2 as pb
from engram.wire.forms import results
from engram.wire.forms.results import encode_result, encode_streamed
from engram.wire.operations import scans
from engram.wire.operations.scans import FACETS_CODEC
from engram.wire.recalls import encode_found, encode_page, encode_recalled

COUNT = 2000
TEXT = "x" * 65_536
FITTING = MESSAGE_BYTES_MAX // len(TEXT)


class Rows:
    """Rows with long texts, which counts how many were read."""

    def __init__(self, text: str = TEXT) -> None:
        self.read = 0
        self._text = text

    def id(self, row: int) -> str:
        return f"row-{row}"

    def row(self, row: int) -> StoredRow:
        self.read += 1
        return StoredRow(0, 1.0, 1.0, self.id(row), self._text, "", "")

    def hits(self, count: int) -> list[Hit]:
        hits = [received_hit(self, row) for row in range(count)]
        for hit in hits:
            for name, value in (("score", 0.5), ("generation", 7), ("indexed", True), ("recent", False)):
                object.__setattr__(hit, name, value)
            object.__setattr__(hit, "strength", None)
            object.__setattr__(hit, "recalled_us", 0)
        return hits


def recalled(hits: list[Hit]) -> Recalled:
    return Recalled(hits, 9, len(hits), 1.5)


ENCODERS: dict[str, Callable[[list[Hit]], Any]] = {
    "protobuf": lambda hits: encode_recalled(recalled(hits)),
    "protobuf of a look-up": lambda hits: encode_found(Hits(hits, 9)),
    "protobuf of a page": lambda hits: encode_page(ScanPage(hits, 9)),
    "json": lambda hits: encode_result(recalled(hits)),
    "frame": lambda hits: encode_result(recalled(hits), binary=True),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_no_more_is_read_than_an_answer_may_have(encode: Callable[[list[Hit]], Any]) -> None:
    rows = Rows()
    with pytest.raises(InvalidInput, match=f"the first {FITTING + 1} of {COUNT} results") as refused:
        encode(rows.hits(COUNT))
    error = refused.value
    assert rows.read == FITTING + 1
    assert (error.code, error.limit, error.is_transient) == ("results_bytes", str(MESSAGE_BYTES_MAX), False)
    assert error.retry_after_ms is None
    assert int(error.value) > MESSAGE_BYTES_MAX
    fitting = int(error.message.partition("at most ")[2].partition("at most ")[2].partition(" ")[0])
    assert FITTING - 2 <= fitting <= FITTING
    assert encode(rows.hits(FITTING - 10))


@pytest.mark.parametrize("binary", [False, True])
def test_several_hits_of_a_stream_are_sent_soon(binary: bool) -> None:
    rows = Rows()
    with pytest.raises(InvalidInput) as refused:
        encode_streamed(recalled(rows.hits(100)), {"id": 1}, binary=binary)
    assert refused.value.code == "results_bytes"
    half = encode_streamed(recalled(rows.hits(50)), {"id": 1}, binary=binary)
    assert (len(half) > 50 * len(TEXT), b'"more":false' in half) == (True, True)


@pytest.mark.parametrize("binary", [False, True])
def test_one_hit_of_a_stream_is_as_large_as_a_message(binary: bool) -> None:
    largest = "x" * 24 * 1024 * 1024
    assert len(encode_streamed(recalled(Rows(largest).hits(1)), binary=binary)) > len(largest)
    with pytest.raises(InvalidInput) as refused:
        encode_streamed(recalled(Rows("x" * (MESSAGE_BYTES_MAX + 1)).hits(1)), binary=binary)
    assert (refused.value.code, refused.value.is_transient) == ("results_bytes", False)


FACETS = Facets({"room": Facet((FacetValue("ä" * 300, 2), FacetValue(True, 1)), 3, 2, "ä" * 300, None)}, 3, 7)
FACET_ENCODERS: dict[str, Callable[[], Any]] = {
    "protobuf": lambda: FACETS_CODEC.encode_result(pb.FacetsRequest(), FACETS),
    "json": lambda: encode_result(FACETS),
}


@pytest.mark.parametrize("encode", FACET_ENCODERS.values(), ids=FACET_ENCODERS)
def test_facets_that_are_too_large_are_told_the_same(
    encode: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (results, scans):
        # Twice 300 characters of two bytes, and little beside them.
        monkeypatch.setattr(module, "MESSAGE_BYTES_MAX", 1400)
    assert encode()
    for module in (results, scans):
        monkeypatch.setattr(module, "MESSAGE_BYTES_MAX", 1200)
    with pytest.raises(InvalidInput, match=r"the facets are 1\d\d\d bytes.*ask for fewer values or facets") as refused:
        encode()
    assert (refused.value.code, refused.value.field) == ("results_bytes", "limit")
