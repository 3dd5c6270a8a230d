"""The spans of admissions: from when a server has read a batch until it is queued for the committer, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engram.errors import EngramError
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.tracing.switch import present_recorder

if TYPE_CHECKING:
    from engram.tracing.recorder import StageSpan


def begin_admission(
    space: str, batch: ObservationBatch, priority: Priority, *, session: str = "", traceparent: str = ""
) -> StageSpan | None:
    """Begin the span of the admission of a batch; None without tracing."""
    recorder = present_recorder()
    if recorder is None:
        return None
    known = {"space": space, "priority": priority.name.lower()} | ({"session": session} if session else {})
    return recorder.received("engram.admit", traceparent, count=len(batch), **known)


def end_admission(span: StageSpan | None, error: EngramError | None = None, *, duplicate: bool = False) -> None:
    """End the span of the admission of a batch, if there is one."""
    if span is not None:
        span.end(error, **({"duplicate": True} if duplicate else {}))
