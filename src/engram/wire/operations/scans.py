"""``scan`` and ``facets`` as messages."""

from __future__ import annotations

import json
from typing import Any, Final

from engram.model.cue import NO_FILTER, Scalar
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.operations.results import result_too_large
from engram.model.operations.scans import CountFacets, ReadPage
from engram.model.operations.table import FACETS, SCAN
from engram.model.scans.facets import Facet, Facets, FacetValue
from engram.model.scans.options import FACET_VALUES_DEFAULT, PAGE_SIZE_DEFAULT
from engram.model.scans.page import ScanPage
from engram.model.values.metadata import parse_json
from engram.model.values.scalars import is_utf8
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import decode_filter, encode_filter
from engram.wire.operations.codec import OperationCodec, named_space
from engram.wire.operations.received_hits import decode_hits
from engram.wire.recalls import encode_page


def _decode_scan(message: pb.ScanRequest) -> ReadPage:
    return ReadPage(
        named_space(message),
        decode_filter(message.filter) if message.HasField("filter") else NO_FILTER,
        message.order or "generation",
        message.reverse,
        message.page_size or PAGE_SIZE_DEFAULT,
        message.max_generation if message.HasField("max_generation") else None,
        message.cursor,
        message.include_embeddings,
        message.skip_damaged,
    )


def _encode_scan(request: ReadPage) -> pb.ScanRequest:
    return pb.ScanRequest(
        memory_space_id=request.space,
        filter=None if request.filter.is_open else encode_filter(request.filter),
        order=request.order,
        reverse=request.reverse,
        page_size=request.page_size,
        max_generation=request.max_generation,
        cursor=request.cursor,
        include_embeddings=request.include_vectors,
        skip_damaged=request.skip_damaged,
    )


def _encode_page(message: pb.ScanRequest, page: ScanPage) -> list[pb.ScanResponse]:
    return [encode_page(page, embeddings=message.include_embeddings)]


def _decode_page(message: pb.ScanResponse) -> ScanPage:
    return ScanPage(decode_hits(message.results), message.snapshot_sequence, message.incomplete, message.cursor)


def _decode_facets(message: pb.FacetsRequest) -> CountFacets:
    return CountFacets(
        named_space(message),
        list(message.keys),
        list(message.fields),
        decode_filter(message.filter) if message.HasField("filter") else NO_FILTER,
        message.limit or FACET_VALUES_DEFAULT,
        message.max_generation if message.HasField("max_generation") else None,
    )


def _encode_facets(request: CountFacets) -> pb.FacetsRequest:
    return pb.FacetsRequest(
        memory_space_id=request.space,
        keys=request.keys,
        fields=request.fields,
        filter=None if request.filter.is_open else encode_filter(request.filter),
        limit=request.limit,
        max_generation=request.max_generation,
    )


def _encode_counted(_: pb.FacetsRequest, facets: Facets) -> list[pb.FacetsResponse]:
    answer = pb.FacetsResponse(
        facets=[_facet_message(name, facet) for name, facet in facets.items()],
        count=facets.count,
        snapshot_sequence=facets.generation,
    )
    if answer.ByteSize() > MESSAGE_BYTES_MAX:
        raise result_too_large(facets, answer.ByteSize())
    return [answer]


def _facet_message(name: str, facet: Facet) -> pb.Facet:
    return pb.Facet(
        name=name,
        values=[pb.FacetValue(value_json=_text_of(each.value), count=each.count) for each in facet.values],
        count=facet.count,
        distinct=facet.distinct,
        least_json=_text_of(facet.least),
        greatest_json=_text_of(facet.greatest),
    )


def _text_of(value: Scalar) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # An older version took half of a surrogate pair, which only an escape can stand for.
    return text if is_utf8(text) else json.dumps(value)


def _decode_counted(message: pb.FacetsResponse) -> Facets:
    facets = {each.name: _facet_of(each) for each in message.facets}
    return Facets(facets, message.count, message.snapshot_sequence)


def _facet_of(message: pb.Facet) -> Facet:
    return Facet(
        tuple(FacetValue(_value_of(each.value_json), each.count) for each in message.values),
        message.count,
        message.distinct,
        _value_of(message.least_json),
        _value_of(message.greatest_json),
    )


def _value_of(text: str) -> Any:
    return parse_json(text, "a value of a facet")


SCAN_CODEC: Final = OperationCodec(
    SCAN, methods.SCAN, named_space, _decode_scan, _encode_scan, _encode_page, _decode_page
)
FACETS_CODEC: Final = OperationCodec(
    FACETS, methods.GET_FACETS, named_space, _decode_facets, _encode_facets, _encode_counted, _decode_counted
)
