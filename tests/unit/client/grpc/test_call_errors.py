"""What a client makes of calls that gRPC itself ends."""

from __future__ import annotations

import grpc
import pytest

from engram.client.grpc.address import parse_address
from engram.client.grpc.call_errors import call_error
from engram.errors import FailedPrecondition, OverCapacity, Unavailable
from engram.wire.grpc_status import status_trailers

ADDRESS = parse_address("localhost:50051")


def test_a_call_that_was_dropped_on_the_way_is_typed_and_made_again() -> None:
    error = call_error(ADDRESS, grpc.StatusCode.CANCELLED, "CANCELLED", None)
    assert isinstance(error, Unavailable)
    assert (error.code, error.value, error.is_transient) == ("cancelled", "localhost:50051", True)


def test_what_the_server_says_itself_stays_what_it_says() -> None:
    told = FailedPrecondition("cancelled by its client", code="cancelled_there")
    error = call_error(ADDRESS, grpc.StatusCode.CANCELLED, "CANCELLED", status_trailers(told))
    assert (type(error), error.code, error.is_transient) == (FailedPrecondition, "cancelled_there", False)


@pytest.mark.parametrize(
    "details", ["last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", "recvmsg: reset by peer"]
)
def test_a_connection_that_is_not_taken_may_be_one_too_many(details: str) -> None:
    error = call_error(ADDRESS, grpc.StatusCode.UNAVAILABLE, details, None)
    assert (error.code, error.is_transient) == ("no_server", True)
    assert "as many connections as it takes" in error.message


def test_a_call_too_many_on_a_connection_is_no_want_of_a_server() -> None:
    details = "Stream removed (RST_STREAM (Received RST_STREAM with error code 7))"
    error = call_error(ADDRESS, grpc.StatusCode.UNAVAILABLE, details, None)
    assert (type(error), error.code, error.is_transient) == (OverCapacity, "calls_of_connection", True)
    assert error.retry_after_ms
    other = call_error(ADDRESS, grpc.StatusCode.UNAVAILABLE, details.replace("code 7", "code 71"), None)
    assert other.code == "no_server"
