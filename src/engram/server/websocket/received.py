"""What a client sends: messages in JSON or in frames, read as far as it takes to hand them on."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.table import OPERATIONS
from engram.model.values.scalars import as_whole
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.wire.forms.leading_fields import leading_fields
from engram.wire.forms.observations import MANY_FIELDS, ONE_FIELDS
from engram.wire.forms.reader import FormReader
from engram.wire.forms.strict_json import check_json_size, parse_object
from engram.wire.frames import read_arrays, split_frame

OBSERVATION_TYPES: Final = ("observation", "observation_batch")
SESSION_TYPES: Final = ("init", *OBSERVATION_TYPES, "flow_control", "close", "heartbeat", "cancel")
_ACTIONS: Final = {action.value: action for action in FlowAction if action is not FlowAction.NONE}
_WRITER_MAX: Final = 2**64 - 1
_SEQUENCE_MAX: Final = 2**63 - 1
# What every client that sends single observations begins them with, so that they need no look ahead.
_OBSERVATION_START: Final = b'{"type":"observation",'


class Envelope(Struct, kw_only=True):
    """What can be told of any message before it is read as a whole."""

    type: str | None = None
    id: Any = None
    space: str | None = None
    sequence_number: Any = None
    arrays: list[tuple[str, str, list[int]]] | UnsetType = UNSET


class InitForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The message that opens a session."""

    type: str
    space: str | None = None
    session_id: str | None = None
    incarnation: str | None = None
    writer: int | None = None
    known_sequence: int | None = None

    def claim(self) -> Claim:
        """Return the claim in the message. A client without a writer is a new one; its sequence is ignored."""
        writer = as_whole("writer", self.writer or 0, 0, _WRITER_MAX)
        if not writer:
            return Claim(incarnation=self.incarnation or "")
        known = self.known_sequence
        if known is not None:
            known = as_whole("known_sequence", known, 0, _SEQUENCE_MAX)
        return Claim(writer, known, self.incarnation or "")


class FlowForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The message that asks for another flow of messages from the server."""

    type: str
    action: str | None = None
    buffer_remaining: int | None = None
    preferred_rate: float | None = None

    def flow(self) -> Flow:
        """Return the request in the message.

        Raises
        ------
        InvalidInput
            If there is no such action, or the rate is no rate.
        """
        action = FlowAction.NONE if self.action is None else _ACTIONS.get(self.action)
        if action is None:
            raise InvalidInput(
                f"there is no action {self.action!r:.64}; the actions are {', '.join(_ACTIONS)}",
                code="invalid_request",
                field="action",
                limit=", ".join(_ACTIONS),
                value=(self.action or "")[:64],
            )
        rate = self.preferred_rate or 0.0
        if not math.isfinite(rate) or rate < 0:
            raise InvalidInput(
                f"the preferred rate is {rate}; it must be a number of messages a second",
                code="invalid_rate",
                field="preferred_rate",
                limit=">= 0",
                value=rate,
            )
        return Flow(action, self.buffer_remaining or 0, rate)


class CloseForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The message that ends a session."""

    type: str
    drain: bool | None = None
    last_sequence: int | None = None


class CancelForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The message that ends a call."""

    type: str
    id: int


class HeartbeatForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """The message that says that the client is there."""

    type: str


class _Ids(Struct):
    ids: list[Raw] = msgspec.field(default_factory=list)


_BESIDE: Final[list[Any]] = [("type", str), ("sequence_number", int)]
OBSERVATION: Final = FormReader(
    msgspec.defstruct("_Observation", [*_BESIDE, *ONE_FIELDS], forbid_unknown_fields=True, kw_only=True, gc=False),
    "the observation",
)
OBSERVATION_BATCH: Final = FormReader(
    msgspec.defstruct(
        "_ObservationBatch",
        [
            *(*_BESIDE, *MANY_FIELDS),
            ("traceparent", str | UnsetType | None, UNSET),
            ("arrays", list[tuple[str, str, list[int]]] | UnsetType, UNSET),
        ],
        forbid_unknown_fields=True,
        kw_only=True,
    ),
    "the batch",
)
INIT: Final = FormReader(InitForm, "the init")
FLOW: Final = FormReader(FlowForm, "the flow control")
CLOSE: Final = FormReader(CloseForm, "the close")
CANCEL: Final = FormReader(CancelForm, "the cancel")
HEARTBEAT: Final = FormReader(HeartbeatForm, "the heartbeat")
_KNOWN_TYPES: Final = frozenset((*SESSION_TYPES, *OPERATIONS))
_read_envelope: Final = msgspec.json.Decoder(Envelope).decode
_read_ids: Final = msgspec.json.Decoder(_Ids).decode
_SINGLE: Final = Envelope(type="observation")


class Received(Struct, gc=False):
    """One message.

    Parameters
    ----------
    envelope
        What was read of it so far.
    text
        The JSON object: the whole message, or the header of a frame.
    arrays
        The arrays of a frame; None if the message came as text.
    nbytes
        The size of the message.
    """

    envelope: Envelope
    text: bytes
    arrays: Mapping[str, NDArray[Any]] | None
    nbytes: int

    @property
    def type(self) -> str:
        """The type of the message."""
        return self.envelope.type or ""

    @property
    def call_id(self) -> int:
        """The number that the client gave a call.

        Raises
        ------
        InvalidInput
            If there is none.
        """
        id = self.envelope.id
        if type(id) is not int:
            raise InvalidInput(
                "a call has a whole number of the client's choice as its id",
                code="wrong_type" if id is not None else "missing_field",
                field="id",
                limit="a whole number",
                value=type(id).__name__,
            )
        return id

    def rejected_range(self) -> tuple[int, int] | None:
        """Return the first sequence number and the count of observations that cannot be read; None if it has none."""
        try:
            number = _read_envelope(self.text).sequence_number
            count = len(_read_ids(self.text).ids) if self.type == "observation_batch" else 1
        except (ValueError, RecursionError):
            fields = leading_fields(self.text)
            number, ids = fields.get("sequence_number"), fields.get("ids")
            count = len(ids) if self.type == "observation_batch" and isinstance(ids, list) else 1
        if type(number) is not int:
            return None
        return number, min(max(count, 1), BATCH_COUNT_MAX)


def is_single(data: bytes, is_frame: bool) -> bool:
    """Return whether a message begins as clients begin single observations."""
    return not is_frame and data.startswith(_OBSERVATION_START)


def read_message(data: bytes, is_frame: bool) -> Received:
    """Return a message, of which only the envelope has been read, and the arrays if it is a frame.

    Raises
    ------
    InvalidInput
        If it is too large, no JSON object, no frame, or of no type that is known.
    """
    if not is_frame:
        check_json_size(data, "the message")
        if is_single(data, is_frame):
            return Received(_SINGLE, data, None, len(data))
        return Received(_checked(_envelope_of(data)), data, None, len(data))
    header, start = split_frame(data)
    check_json_size(header, "the header of the frame")
    text = bytes(header)
    envelope = _envelope_of(text)
    arrays = read_arrays(data, start, None if envelope.arrays is UNSET else envelope.arrays)
    return Received(_checked(envelope), text, arrays, len(data))


def unreadable(data: bytes, is_frame: bool) -> Received:
    """Return what can be told of a message that `read_message` refuses: its type, its id, its number."""
    # Of a frame, the header, or what there is of it.
    text = data[4 : 4 + int.from_bytes(data[:4], "little")] if is_frame else data
    fields = leading_fields(text)
    kind = fields.get("type")
    return Received(Envelope(type=kind if isinstance(kind, str) else None, id=fields.get("id")), text, None, len(data))


def _envelope_of(text: bytes) -> Envelope:
    try:
        return _read_envelope(text)
    except (ValueError, RecursionError) as error:
        # Says precisely what is wrong, unless a field of the envelope is of another type.
        parse_object(text, "the message")
        raise InvalidInput(
            f"the message cannot be read: {error}", code="malformed_message", field="message", limit="a message"
        ) from None


def _checked(envelope: Envelope) -> Envelope:
    if envelope.type in _KNOWN_TYPES:
        return envelope
    known = (*SESSION_TYPES, *OPERATIONS)
    given = envelope.type or ""
    nearest = difflib.get_close_matches(given, known, 1, cutoff=0.0)
    raise InvalidInput(
        f"there is no message of type {given[:64]!r}; the nearest is {nearest[0]!r}"
        if given
        else "a message has a type",
        code="no_operation",
        field="type",
        limit=", ".join(known),
        value=given[:64] or "nothing",
    )
