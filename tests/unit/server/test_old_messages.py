"""What clients sent before vectors and texts could be missing, and before anything expired, means what it meant.

The messages, and the answers that such clients know, are in ``tests/fixtures/old_messages``. They are never changed.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import pytest

from engram.model.ack import Ack, Deletion
from engram.model.cue import Cue
from engram.model.hit import Hits
from engram.model.many.cue_list import CueList
from engram.model.many.many_query import ManyQuery
from engram.model.observations import ObservationBatch
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.requests import CreateSpace, Delete, Observe, RecallMany
from engram.model.operations.status import SpaceStatus
from engram.model.operations.table import OPERATIONS
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.server.websocket.joining import joined
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import OBSERVATION_BATCH, read_message
from engram.wire import engram_pb2 as pb
from engram.wire.forms.observations import batch_of_columns, read_observations
from engram.wire.forms.requests import RequestReader
from engram.wire.forms.results import encode_result
from engram.wire.observations import decode_batch, decode_episode, decode_priority
from engram.wire.operations.table import CODECS
from tests.doubles.places import FIXTURES
from tests.unit.wire.operations.test_table import plain
from tests.unit.wire.test_recalls import make_hit

FOLDER: Final = FIXTURES / "old_messages"
# Each a list of the bytes of its fields, in hexadecimal, or of the name of another message that stands there.
PROTOBUF: dict[str, list[str]] = json.loads((FOLDER / "protobuf.json").read_text(encoding="utf-8"))
MATRIX = np.array([[1, 0.5], [-1, 2]], np.float32)
BATCH = ObservationBatch(
    ["a", "b"],
    MATRIX,
    ["one", ""],
    np.array([1_500_000, 2_000_000]),
    np.array([0.5, 1], np.float32),
    np.array([0.5, 0.5], np.float32),
    ['{"n":1}', ""],
    [["x"], []],
)
ONE = ObservationBatch(
    ["c"],
    MATRIX[:1],
    ["one"],
    np.array([2_000_000]),
    np.array([0.5], np.float32),
    np.array([0.5], np.float32),
    ['{"why":"it"}'],
    [["x"]],
)
UPDATE = Update("notes", ObservationChanges(["a"], None, {"contents": ["two"]}))
DELETE = Delete("notes", ["a", "b"], "k")
CREATE = CreateSpace(SpaceConfig("notes", 8))
RECALL_MANY = RecallMany("notes", ManyQuery(CueList(MATRIX), RecallQuery(Cue(), 5)))
SPACE = SpaceStatus(
    SpaceConfig("notes", 8), 5, 5, 4, 3, 1000, 2000, pressure=0.25, pressure_level="normal", tail_count_max=9
)
HITS = Hits([make_hit("a")], 9)


def protobuf(name: str) -> bytes:
    return b"".join(protobuf(part) if part in PROTOBUF else bytes.fromhex(part) for part in PROTOBUF[name])


def text(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("message", "operation", "request_"),
    [
        ("observe", "observe", Observe("notes", BATCH, Priority.NORMAL, "k")),
        ("observe_if", "observe", Observe("notes", BATCH, expected_generations=(0, 7))),
        ("update", "update", UPDATE),
        ("delete", "delete", DELETE),
        ("count", "delete", Delete("notes", ["a"], dry_run=True)),
        ("create_space", "create_space", CREATE),
        ("recall_many", "recall_many", RECALL_MANY),
    ],
)
def test_calls_over_grpc(message: str, operation: str, request_: Any) -> None:
    codec = CODECS[operation]
    decoded = codec.decode_request(codec.method.request.FromString(protobuf(message)))
    assert plain(decoded) == plain(request_)


def test_streams_over_grpc() -> None:
    message = pb.ObservationRequest.FromString(protobuf("stream_batch"))
    assert (message.WhichOneof("operation"), message.sequence_number) == ("batch", 7)
    assert plain(decode_batch(message.batch)) == plain(BATCH)
    message = pb.ObservationRequest.FromString(protobuf("stream_episode"))
    assert (message.WhichOneof("operation"), message.sequence_number) == ("observation", 8)
    assert plain(decode_episode(message.observation)) == plain(ONE)
    assert decode_priority(message.observation.priority) is Priority.HIGH


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("observe", Observe("notes", BATCH, Priority.NORMAL, "k")),
        ("update", UPDATE),
        ("delete", DELETE),
        ("create_space", CREATE),
        ("recall_many", RECALL_MANY),
    ],
)
def test_calls_in_json(operation: str, request_: Any) -> None:
    decoded = RequestReader(OPERATIONS[operation]).read(text(operation), "notes")
    assert plain(decoded) == plain(request_)


def test_one_observation_over_http() -> None:
    batch, priority, key, expected = read_observations(text("observe_one"))
    assert (plain(batch), priority, key, expected) == (plain(ONE), Priority.HIGH, "", None)


def test_observations_over_a_websocket() -> None:
    (single,) = joined([read_message(text("observation"), is_frame=False)], SocketLimits())
    assert not isinstance(single, tuple)
    assert (single.first_sequence, plain(single.batch), single.priority) == (8, plain(ONE), Priority.HIGH)
    frame = read_message((FOLDER / "observation_batch.frame").read_bytes(), is_frame=True)
    form: Any = OBSERVATION_BATCH.read(frame.text, is_header=True)
    assert (form.sequence_number, plain(batch_of_columns(form, frame.arrays or {}))) == (7, plain(BATCH))


@pytest.mark.parametrize(
    ("operation", "result", "message"),
    [
        ("observe", Ack(0, 0, 8, 9), "acknowledged"),
        ("delete", Deletion(2, 9), "deleted"),
        ("create_space", SPACE, "space"),
        ("get", HITS, "found"),
    ],
)
def test_answers_over_grpc(operation: str, result: Any, message: str) -> None:
    codec = CODECS[operation]
    (answer,) = codec.encode_result(codec.method.request(), result)
    recorded = protobuf(message)
    assert answer == codec.method.response.FromString(recorded)
    # Nor is there anything that such a client would not know.
    assert answer.ByteSize() == len(recorded)


@pytest.mark.parametrize(("result", "message"), [(HITS, "found"), (SPACE, "space")])
def test_answers_in_json(result: Any, message: str) -> None:
    assert json.loads(encode_result(result)) == json.loads(text(message))
