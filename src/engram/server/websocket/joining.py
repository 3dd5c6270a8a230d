"""Single observations that arrive together: they are admitted as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engram import _core
from engram.model.observations import ObservationBatch
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import OBSERVATION, Received
from engram.streaming.sessions.paused_backlog import Message
from engram.wire.forms.observations import batch_of_ones, priority_of, vector_kind

Outcome = Message | tuple[Received, Exception]
"""Observations, or one that cannot be read with the reason."""


def joined(messages: Sequence[Received], limits: SocketLimits) -> Iterator[Outcome]:
    """Yield single observations as few messages: those with consecutive numbers and one priority become one.

    One that cannot be read is yielded with the reason, in its place.

    Parameters
    ----------
    messages
        Messages of type ``observation``, in the order in which they came.
    limits
        How many, and how many bytes, become one.
    """
    for group in _groups(messages, limits):
        whole = _read_together(group)
        if whole is not None:
            yield whole
        else:
            yield from _read_each(group)


def _groups(messages: Sequence[Received], limits: SocketLimits) -> Iterator[Sequence[Received]]:
    begin = nbytes = 0
    for place, message in enumerate(messages):
        full = place - begin >= limits.joined_count_max or nbytes + message.nbytes > limits.joined_bytes_max
        if full and place > begin:
            yield messages[begin:place]
            begin, nbytes = place, 0
        nbytes += message.nbytes
    if begin < len(messages):
        yield messages[begin:]


def _read_together(messages: Sequence[Received]) -> Message | None:
    """Return observations that are as most are, which takes no step for each of them; None if any is not."""
    if any(message.arrays is not None for message in messages):
        return None
    cut = _core.cut_vectors([message.text for message in messages])
    forms: list[Any] | None = None if cut is None else OBSERVATION.read_list(cut[0])
    if cut is None or forms is None or not all(map(_continues, forms, forms[1:])):
        return None
    try:
        return _message(forms, batch_of_ones(forms, cut[1]))
    except Exception:
        # Whoever reads each by itself says what is wrong with which of them.
        return None


def _read_each(messages: Sequence[Received]) -> Iterator[Outcome]:
    forms: list[Any] = []
    sources: list[Received] = []
    for message in messages:
        try:
            form: Any = OBSERVATION.read(message.text, is_header=message.arrays is not None)
        except Exception as error:
            yield from _as_messages(forms, sources)
            forms, sources = [], []
            yield message, error
            continue
        if forms and not (_continues(forms[-1], form) and vector_kind(form) == vector_kind(forms[-1])):
            yield from _as_messages(forms, sources)
            forms, sources = [], []
        forms.append(form)
        sources.append(message)
    yield from _as_messages(forms, sources)


def _continues(last: Any, form: Any) -> bool:
    return bool(form.sequence_number == last.sequence_number + 1 and form.priority == last.priority)


def _as_messages(forms: list[Any], sources: list[Received]) -> Iterator[Outcome]:
    if not forms:
        return
    try:
        yield _message(forms, batch_of_ones(forms))
    except Exception as error:
        if len(forms) == 1:
            yield sources[0], error
            return
        # One of them has a value that cannot be read; the others do not suffer for it.
        for form, source in zip(forms, sources, strict=True):
            yield from _as_messages([form], [source])


def _message(forms: Sequence[Any], batch: ObservationBatch) -> Message:
    first = forms[0]
    return Message(first.sequence_number, batch, priority_of(first), forms[-1].id, are_joined=len(forms) > 1)
