"""Errors keep their meaning in a message."""

from __future__ import annotations

import pytest

from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NewerFormat,
    NotFound,
    OverCapacity,
    PermissionDenied,
    SequenceError,
    Unauthenticated,
    Unavailable,
)
from engram.wire import engram_pb2 as pb
from engram.wire.errors import decode_error, encode_error

ERRORS = [
    InvalidInput("wrong", code="dimension_mismatch", field="embedding", limit=768, value=3),
    NotFound("no such space"),
    AlreadyExists("other settings"),
    FailedPrecondition("no init", code="no_init"),
    SequenceError("gap", expected_sequence=17),
    OverCapacity("full", code="lane_full", limit=10, value=11, retry_after_ms=250),
    Unavailable("the disk is full", code="disk_full"),
    CorruptData("a bit flipped", field="log/000000000001.log", value=1024),
    CorruptData("no description", code="missing_description"),
    NewerFormat("of format 3", limit=2, value=3),
    Unauthenticated("who are you?"),
    PermissionDenied("not you", field="space", value="secret"),
    EngramError("odd"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_in_band(error: EngramError) -> None:
    decoded = decode_error(pb.ErrorDetail.FromString(encode_error(error).SerializeToString()))
    assert type(decoded) is type(error)
    assert vars(decoded) == vars(error)


def test_text_that_utf8_cannot_carry_is_replaced() -> None:
    assert encode_error(InvalidInput("bad \ud800", value="\udfff")).message == "bad ?"


def test_an_unknown_kind_is_a_plain_error() -> None:
    assert type(decode_error(pb.ErrorDetail(kind="from the future", code="x", message="m"))) is EngramError
