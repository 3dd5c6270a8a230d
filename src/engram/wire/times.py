"""Times on the wire: protobuf timestamps to and from microseconds since 1970 UTC."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from engram.errors import InvalidInput

# Microseconds are kept as int64; this bound leaves room for arithmetic on them (about 280 000 years).
_SECONDS_MAX = 2**43


def to_timestamp(time_us: int) -> Timestamp:
    """Return the timestamp of `time_us`, microseconds since 1970 UTC (may be negative)."""
    timestamp = Timestamp()
    set_timestamp(timestamp, time_us)
    return timestamp


def set_timestamp(timestamp: Timestamp, time_us: int) -> None:
    """Set `timestamp`, which may be part of a message, to `time_us`, microseconds since 1970 UTC."""
    timestamp.seconds, micros = divmod(time_us, 1_000_000)
    timestamp.nanos = micros * 1000


def from_timestamp(timestamp: Timestamp, field: str) -> int:
    """Return `timestamp` in microseconds since 1970 UTC.

    Raises
    ------
    InvalidInput
        If it is not within 2**43 seconds of 1970, naming `field`.
    """
    if not -_SECONDS_MAX <= timestamp.seconds <= _SECONDS_MAX or not 0 <= timestamp.nanos < 1_000_000_000:
        raise InvalidInput(
            f"{field} is not a time within 2**43 seconds of 1970",
            code="invalid_time",
            field=field,
            limit="|seconds| <= 2**43, 0 <= nanos < 1e9",
            value=f"{timestamp.seconds} s {timestamp.nanos} ns",
        )
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
