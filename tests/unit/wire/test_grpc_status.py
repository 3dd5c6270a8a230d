"""Errors keep their meaning as the status of a gRPC call."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    PermissionDenied,
    StoreLocked,
    Unauthenticated,
    Unavailable,
)
from engram.wire.grpc_status import DETAILS_KEY, decode_status, status_code, status_trailers
from tests.unit.wire.test_errors import ERRORS


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_as_a_status(error: EngramError) -> None:
    decoded = decode_status(status_code(error), error.message, status_trailers(error))
    assert type(decoded) is type(error)
    assert vars(decoded) == vars(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFound("x"), grpc.StatusCode.NOT_FOUND),
        (AlreadyExists("x"), grpc.StatusCode.ALREADY_EXISTS),
        (FailedPrecondition("x"), grpc.StatusCode.FAILED_PRECONDITION),
        (OverCapacity("x"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Unavailable("x"), grpc.StatusCode.UNAVAILABLE),
        (StoreLocked("x"), grpc.StatusCode.INTERNAL),
        (CorruptData("x"), grpc.StatusCode.DATA_LOSS),
        (Unauthenticated("x"), grpc.StatusCode.UNAUTHENTICATED),
        (PermissionDenied("x"), grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_each_kind_has_its_status(error: EngramError, code: grpc.StatusCode) -> None:
    assert status_code(error) is code


def test_a_retry_time_is_told_the_standard_way() -> None:
    ((key, trailer),) = status_trailers(OverCapacity("full", retry_after_ms=1500))
    assert key == DETAILS_KEY
    status = Status.FromString(trailer)
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    retry = RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.ToMilliseconds() == 1500


@pytest.mark.parametrize(
    "message",
    [
        "SERVER: Sent message larger than max (200 vs. 100)",
        "CLIENT: Received message larger than max (200 vs. 100)",
        "Stream removed (CLIENT: Received message larger than max (200 vs. 100))",
    ],
)
def test_what_is_too_large_for_grpc_is_no_shortage(message: str) -> None:
    error = decode_status(grpc.StatusCode.RESOURCE_EXHAUSTED, message, None)
    assert isinstance(error, InvalidInput)
    assert (error.code, error.limit, error.value) == ("message_bytes", "100", "200")
    shortage = decode_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many connections", None)
    assert isinstance(shortage, OverCapacity)


def test_long_texts_are_cut_so_that_trailers_fit() -> None:
    error = InvalidInput("x" * 100_000, field="y" * 100_000, value="ü" * 100_000, limit="z" * 100_000)
    assert sum(len(value) for _, value in status_trailers(error)) < 6000


@pytest.mark.parametrize("trailers", [None, (), ((DETAILS_KEY, b"\xff\xff"),), (("other", "x"),)])
def test_a_status_without_detail_still_has_its_kind(trailers: tuple[tuple[str, str | bytes], ...] | None) -> None:
    assert type(decode_status(grpc.StatusCode.UNAVAILABLE, "gone", trailers)) is Unavailable
    assert type(decode_status(grpc.StatusCode.UNAUTHENTICATED, "who?", trailers)) is Unauthenticated
    assert type(decode_status(grpc.StatusCode.PERMISSION_DENIED, "no", trailers)) is PermissionDenied
    unknown = decode_status(grpc.StatusCode.DEADLINE_EXCEEDED, None, trailers)
    assert type(unknown) is EngramError
    assert unknown.code == "deadline_exceeded"
