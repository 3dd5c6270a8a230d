"""``changes``: what changes in a space, each change once and in the order of generations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.server.engine import Engine

T = TypeVar("T")


def changes(engine: Engine, request: FollowChanges, encode: Callable[[Changes], T]) -> AsyncGenerator[T, None]:
    """Yield the changes of a space in batches, which are encoded on recall threads.

    Raises
    ------
    EngramError
        If the request cannot be answered. The error gives the reason.
    """
    return engine.recalls.changes(engine.space(request.space), request, encode)
