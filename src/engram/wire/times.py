"""Conversion of protobuf timestamps to and from microseconds since 1970 UTC."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from engram.errors import InvalidInput
from engram.model.times import check_time_us


def to_timestamp(time_us: int) -> Timestamp:
    """Return the timestamp for `time_us`, microseconds since 1970 UTC (may be negative)."""
    timestamp = Timestamp()
    set_timestamp(timestamp, time_us)
    return timestamp


def set_timestamp(timestamp: Timestamp, time_us: int) -> None:
    """Set `timestamp`, which may be part of a message, to `time_us`, microseconds since 1970 UTC."""
    timestamp.seconds, micros = divmod(time_us, 1_000_000)
    timestamp.nanos = micros * 1000


def from_timestamp(timestamp: Timestamp, field: str) -> int:
    """Return `timestamp`, given in a request, in microseconds since 1970 UTC.

    Raises
    ------
    InvalidInput
        If its nanoseconds are outside of 0 to 999999999, or it is not within the years 1 to 9999. The error names
        `field`.
    """
    if not 0 <= timestamp.nanos < 1_000_000_000:
        raise InvalidInput(
            f"{field} has {timestamp.nanos} nanoseconds; pass 0 to 999999999, and whole seconds beside them",
            code="invalid_time",
            field=field,
            limit="0 <= nanos < 1e9",
            value=timestamp.nanos,
        )
    return check_time_us(stored_us(timestamp), field)


def stored_us(timestamp: Timestamp) -> int:
    """Return `timestamp`, given in a server's answer, in microseconds since 1970 UTC. Its range is not checked."""
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
