"""Conversion of messages to and from problems of the health of a space or a server."""

from __future__ import annotations

from typing import Final

from engram.metrics.health import DEGRADED, FAILED, OK, Problem
from engram.wire import engram_pb2 as pb
from engram.wire.times import stored_us, to_timestamp

_TEXT_CHARACTERS_MAX: Final = 400
LEVELS: Final[dict[str, pb.HealthLevel.ValueType]] = {
    OK: pb.HEALTH_LEVEL_OK,
    DEGRADED: pb.HEALTH_LEVEL_DEGRADED,
    FAILED: pb.HEALTH_LEVEL_FAILED,
}
"""The levels of health as numbers of the contract."""
_NAMES: Final[dict[int, str]] = {number: name for name, number in LEVELS.items()}


def encode_problem(problem: Problem) -> pb.HealthProblem:
    """Return the message for a problem, its texts cut to a bounded length."""
    return pb.HealthProblem(
        name=problem.name,
        memory_space_id=problem.space,
        level=LEVELS[problem.level],
        since=to_timestamp(problem.since_us),
        message=problem.message[:_TEXT_CHARACTERS_MAX],
        advice=problem.advice[:_TEXT_CHARACTERS_MAX],
    )


def decode_problem(message: pb.HealthProblem) -> Problem:
    """Return the problem in `message`. A level that only a later server knows is the worst one."""
    return Problem(
        message.name,
        message.memory_space_id,
        _NAMES.get(message.level, FAILED),
        stored_us(message.since),
        message.message,
        message.advice,
    )
