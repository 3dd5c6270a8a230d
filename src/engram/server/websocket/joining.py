"""Single observations that arrive together: they are admitted as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import OBSERVATION, Received
from engram.streaming.sessions.paused_backlog import Message
from engram.wire.forms.observations import batch_of_ones, priority_of, vector_kind


def joined(messages: Sequence[Received], limits: SocketLimits) -> Iterator[Message | tuple[Received, Exception]]:
    """Yield single observations as few messages: those with consecutive numbers and one priority become one.

    One that cannot be read is yielded with the reason, in its place.

    Parameters
    ----------
    messages
        Messages of type ``observation``, in the order in which they came.
    limits
        How many, and how many bytes, become one.
    """
    forms: list[Any] = []
    sources: list[Received] = []
    nbytes = 0
    for message in messages:
        try:
            form: Any = OBSERVATION.read(message.text, is_header=message.arrays is not None)
        except Exception as error:
            yield from _as_messages(forms, sources)
            forms, sources, nbytes = [], [], 0
            yield message, error
            continue
        full = len(forms) >= limits.joined_count_max or nbytes + message.nbytes > limits.joined_bytes_max
        if forms and (full or not _continues(forms[-1], form)):
            yield from _as_messages(forms, sources)
            forms, sources, nbytes = [], [], 0
        forms.append(form)
        sources.append(message)
        nbytes += message.nbytes
    yield from _as_messages(forms, sources)


def _continues(last: Any, form: Any) -> bool:
    return (
        form.sequence_number == last.sequence_number + 1
        and form.priority == last.priority
        and vector_kind(form) == vector_kind(last)
    )


def _as_messages(forms: list[Any], sources: list[Received]) -> Iterator[Message | tuple[Received, Exception]]:
    if not forms:
        return
    try:
        first = forms[0]
        batch = batch_of_ones(forms)
        yield Message(first.sequence_number, batch, priority_of(first), forms[-1].id, are_joined=len(forms) > 1)
    except Exception as error:
        if len(forms) == 1:
            yield sources[0], error
            return
        # One of them has a value that cannot be read; the others do not suffer for it.
        for form, source in zip(forms, sources, strict=True):
            yield from _as_messages([form], [source])
