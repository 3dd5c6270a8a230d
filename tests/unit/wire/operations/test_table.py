"""Requests and results arrive as they were sent: each operation is encoded, serialized, parsed and decoded."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from engram.errors import CorruptData, FailedPrecondition, InvalidInput
from engram.metrics import table as metrics
from engram.metrics.health import Problem
from engram.metrics.samples import MetricSamples
from engram.model.ack import Ack, Deletion
from engram.model.cue import Cue, Filter
from engram.model.damage import Damage
from engram.model.filters.fields import F
from engram.model.following.change import Change, Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hit, Hits
from engram.model.many.cue_list import CueList
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.naming import (
    AliasChanged,
    AliasList,
    DropAlias,
    DropSpace,
    ListAliases,
    RenameSpace,
    SetAlias,
    SpaceDropped,
    SpaceRenamed,
)
from engram.model.operations.operation import Request
from engram.model.operations.requests import (
    Count,
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Erase,
    Get,
    ListSpaces,
    Observe,
    Recall,
    RecallMany,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.operations.results import Counted, SnapshotTaken, SpaceList
from engram.model.operations.scans import Clear, CountFacets, ReadPage
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
from engram.model.operations.table import OPERATIONS
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.query import Recalled, RecallQuery
from engram.model.scans.facets import Facet, Facets, FacetValue
from engram.model.scans.page import ScanPage
from engram.model.spaces import SpaceConfig
from engram.model.strength import Strength
from engram.model.values.expiry import NEVER_US, NOT_SAID_US
from engram.wire.operations.table import CODEC_OF, CODECS
from tests.doubles.batches import batch_of

CONFIG = SpaceConfig("notes", 16, "l2", "lexical")
SAMPLES = MetricSamples([metrics.LOG_BYTES.sample(4096, "notes")])
PROBLEMS = (
    Problem("disk_full", "notes", "failed", 1_700_000_000_000_001, "the disk is full", "Free space."),
    Problem("checkpoint_failed", "", "degraded", -5, "no", ""),
)
SPACE = SpaceStatus(CONFIG, 30, 29, 25, 20, 4096, 2048, 2, SAMPLES, 0.5, "critical", 100_000, PROBLEMS)
UNSOUND = UnsoundSpace("torn", "lost", "it is torn")
CUE = Cue([1.0, 2.0], score_min=0.25, filter=Filter(tags={"x"}, metadata={"n": 1}))
QUERY = RecallQuery(CUE, 7, max_generation=9, ef=50, strength=Strength(60.0), skip_damaged=True, include_vectors=True)
COMMON = replace(QUERY, cue=Cue(filter=Filter(tags={"y"})))
STREAM = RecallQuery(CUE, 7, 3, snapshot_us=1_500_000, follow=True, include_recent=True, timeout_ms=250)
HIT = Hit(
    id="a",
    score=0.5,
    confidence=0.75,
    generation=7,
    content="text",
    metadata={"n": 1},
    tags=["x"],
    time_us=1_500_000,
    importance=0.25,
    indexed=True,
    vector=np.array([1, 2], np.float32),
    recalled_us=4_000_000,
)

CHANGED: dict[str, Any] = {
    "contents": ["new", ""],
    "times_us": np.array([1, -2], np.int64),
    "confidences": np.array([0.25, 1.0], np.float32),
    "importances": np.array([0.5, 0.0], np.float32),
    "metadata": ['{"n":null}', ""],
    "tags": [["x"], []],
    "expires_us": np.array([5, NEVER_US], np.int64),
}
# The defaults of an observation, which are changes like any other.
UNCHANGED: dict[str, Any] = {
    "contents": [""],
    "confidences": np.ones(1, np.float32),
    "importances": np.full(1, 0.5, np.float32),
    "metadata": [""],
    "tags": [[]],
}
FACET = Facet((FacetValue("mess", 4), FacetValue(None, 2), FacetValue(True, 1)), 7, 9, "bridge", "mess")
BARE = replace(HIT, id="b", content="", has_content=False, vector=None, expires_us=2_500_000)
# Rows of which one has no vector, one no text, and one expires.
SPARSE = replace(
    batch_of(["a", "b"]),
    vectors=np.array([[0.0] * 16, [1.0] * 16], np.float32),
    contents=["text", ""],
    expires_us=np.array([5, NOT_SAID_US], np.int64),
    vector_presence=np.array([False, True]),
    text_presence=np.array([True, False]),
    embeds=False,
)
SHORT = SpaceConfig("notes", 0, vectors="none", ttl_s=0.5)
TOLD = [
    Change("observed", "a", 7, None, HIT),
    Change("updated", "a", 8, 7, replace(HIT, generation=8)),
    Change("deleted", "ä", 9, 3),
    Change("expired", "b", 10),
    Change("left", "c", 11, 6),
]

REQUESTS: dict[str, list[Request[Any]]] = {
    "observe": [
        Observe("notes", batch_of(["a", "b"]), Priority.HIGH, "key"),
        Observe("notes", batch_of(["a", "b"]), expected_generations=(0, 7)),
        Observe("notes", batch_of(["a"]), Priority.LOW, "key", (7,)),
        Observe("notes", SPARSE),
    ],
    "update": [
        Update("notes", ObservationChanges(["a", "b"], np.ones((2, 16), np.float32)), Priority.HIGH, merge=False),
        Update("notes", ObservationChanges(["a", "b"], None, CHANGED)),
        Update("notes", ObservationChanges(["a"], None, UNCHANGED), idempotency_key="key"),
    ],
    "delete": [
        Delete("notes", ["a", "b"]),
        Delete("notes", ["a"], "key", dry_run=True),
        Delete("notes", filter=CUE.conditions, max_generation=7),
    ],
    "clear": [Clear("notes"), Clear("notes", 7, "key")],
    "erase": [Erase("notes", ["a", "b"]), Erase("notes", [], "key")],
    "get": [Get("notes", ["a"]), Get("notes", ["a", "b"], 0, include_vectors=True)],
    "scan": [
        ReadPage("notes"),
        ReadPage("notes", CUE.conditions, "time", True, 7, 9, "cursor", include_vectors=True, skip_damaged=True),
    ],
    "facets": [CountFacets("notes"), CountFacets("notes", ["room"], ["tags"], CUE.conditions, 7, 9)],
    "recall": [Recall("notes", QUERY), Recall("notes", RecallQuery(Cue(text="pumps", by="words")))],
    "recall_many": [
        RecallMany("notes", ManyQuery(CueList(np.array([[1, 2], [3, 4]], np.float32)), COMMON, 2_500_000)),
        RecallMany("notes", ManyQuery(CueList(), RecallQuery(Cue()))),
        RecallMany("notes", ManyQuery(CueList(listed=[CUE, Cue(text="pumps", by="words"), Cue()]), RecallQuery(Cue()))),
    ],
    "recall_stream": [StreamRecall("notes", STREAM), StreamRecall("notes", RecallQuery(Cue()))],
    "changes": [
        FollowChanges("notes"),
        FollowChanges("notes", 0, CUE.conditions, include_vectors=True, skip_damaged=True),
        FollowChanges("notes", 7, F.deck >= 2),
    ],
    "count": [
        Count("notes"),
        Count("notes", Filter(tags={"x"}), 0),
        Count("notes", (F.deck >= 2) & ~F.room.is_in(["mess", None, 1.5]), 7),
    ],
    "snapshot": [TakeSnapshot("notes"), TakeSnapshot("notes", 0), TakeSnapshot("notes", None, 1_500_000)],
    "create_space": [CreateSpace(CONFIG), CreateSpace(SHORT)],
    "drop_space": [DropSpace("notes"), DropSpace("notes", "key")],
    "rename_space": [RenameSpace("notes", "renamed"), RenameSpace("notes", "renamed", "key")],
    "set_alias": [SetAlias("current", "notes")],
    "drop_alias": [DropAlias("current"), DropAlias("current", "key")],
    "aliases": [ListAliases()],
    "space": [DescribeSpace("notes")],
    "spaces": [ListSpaces()],
    "status": [DescribeServer()],
}
RESULTS: dict[str, list[Any]] = {
    "observe": [Ack(0, 0, 5, 8)],
    "update": [Ack(0, 0, 5, 5)],
    "delete": [Deletion(2, 9), Deletion(2, 9, 7, more=True)],
    "clear": [Deletion(2, 9, 7)],
    "erase": [ErasureReceipt("notes", "0f" * 16, ("1e" * 16,), 9, 3, 1_500_000), ErasureReceipt("a", "b", (), 0, 0, 0)],
    "scan": [ScanPage([HIT], 7, incomplete=True, cursor="cursor"), ScanPage()],
    "facets": [Facets({"room": FACET}, 9, 7), Facets()],
    "get": [Hits([], 0), Hits([HIT], 7), Hits([BARE], 7)],
    "recall": [Recalled([HIT], 7, 3, 1.5, incomplete=True), Recalled([], 0, 0, 0.5)],
    "recall_many": [
        ManyRecalled([Hits([HIT], 7, incomplete=True), Hits([], 7), Hits([HIT, HIT], 7)], 7, 2_500_000),
        ManyRecalled([], 0),
    ],
    "recall_stream": [Recalled([HIT], 7, 1, 1.5, more=True), Recalled([], 7, 0, 1.5)],
    "changes": [Changes(TOLD, 12, incomplete=True), Changes((), 5)],
    "count": [Counted(0, 0), Counted(3, 7)],
    "snapshot": [SnapshotTaken(7)],
    "create_space": [SPACE, replace(SPACE, config=SHORT)],
    "drop_space": [SpaceDropped("notes"), SpaceDropped("notes", ("current", "newest"))],
    "rename_space": [SpaceRenamed("notes", "renamed")],
    "set_alias": [AliasChanged("current", "notes")],
    "drop_alias": [AliasChanged("current", "notes")],
    "aliases": [AliasList(), AliasList({"current": "notes", "newest": "notes"})],
    "space": [SPACE],
    "spaces": [SpaceList((SPACE,), (UNSOUND,)), SpaceList(())],
    "status": [
        ServerStatus(
            version="1",
            uptime_s=2.5,
            sessions=1,
            connections=2,
            observations_accepted=3,
            observations_rejected=4,
            recalls=5,
            commits=6,
            lanes=(LaneStatus("high", 1, 2, 3, 4), LaneStatus("low", 5, 6, 7, 8)),
            workers=(WorkerStatus(1, 2, 3, 4, 5, 6.5),),
            spaces=(SPACE,),
            damaged_count=1,
            damages=(Damage("notes", "log/1", 2, 3, 4, "a hole"),),
            unsound_spaces=(UNSOUND,),
            metrics=SAMPLES,
            problems=PROBLEMS,
        )
    ],
}

COMPARED = (
    Observe,
    Update,
    Recall,
    RecallMany,
    StreamRecall,
    RecallQuery,
    ManyQuery,
    CueList,
    Cue,
    Recalled,
    ManyRecalled,
)
"""What is compared field by field."""


def plain(value: Any) -> Any:
    """What a value has in it, for comparing those that are compared by identity or have arrays."""
    made = value
    if isinstance(value, np.ndarray):
        made = value.tolist()
    elif isinstance(value, Hits):
        made = [plain(list(value)), value.generation, value.incomplete, getattr(value, "cursor", None)]
    elif isinstance(value, Changes):
        made = [plain(list(value)), value.generation, value.incomplete]
    elif isinstance(value, Deletion):
        made = [int(value), value.generation, value.as_of, value.more]
    elif isinstance(value, Facets):
        made = [dict(value), value.count, value.generation]
    elif isinstance(value, list | tuple):
        made = [plain(each) for each in value]
    elif isinstance(value, COMPARED):
        made = [type(value).__name__, *(plain(getattr(value, field.name)) for field in fields(value))]
    elif isinstance(value, ObservationChanges):
        made = [list(value.ids), plain(value.vectors), {name: plain(each) for name, each in value.columns.items()}]
    elif type(value).__name__ == "ObservationBatch":
        made = [plain(getattr(value, field.name)) for field in fields(value) if field.name[0] != "_"]
    return made


@pytest.mark.parametrize(("name", "request_"), [(name, one) for name, them in REQUESTS.items() for one in them])
def test_a_request_arrives(name: str, request_: Request[Any]) -> None:
    codec = CODECS[name]
    question = codec.encode_request(request_)
    assert type(question) is codec.method.request
    arrived = codec.method.request.FromString(question.SerializeToString())
    assert codec.space(arrived) == request_.space_name
    decoded = codec.decode_request(arrived)
    assert type(decoded) is type(request_)
    assert plain(decoded) == plain(request_)


@pytest.mark.parametrize(("name", "result"), [(name, one) for name, them in RESULTS.items() for one in them])
def test_a_result_arrives(name: str, result: Any) -> None:
    codec = CODECS[name]
    question = codec.encode_request(REQUESTS[name][-1])
    (answer,) = codec.encode_result(question, result)
    assert type(answer) is codec.method.response
    decoded = codec.decode_result(codec.method.response.FromString(answer.SerializeToString()))
    assert isinstance(decoded, codec.operation.result)
    assert plain(decoded) == plain(result)


def test_all_operations_are_tried() -> None:
    assert set(REQUESTS) == set(RESULTS) == set(OPERATIONS)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("spaces", "status", "aliases")])
def test_no_name_means_the_default_space(name: str) -> None:
    assert CODECS[name].space(CODECS[name].method.request()) == "default"


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.names_space])
def test_no_name_is_refused_where_the_default_space_would_be_lost(name: str) -> None:
    question = CODECS[name].encode_request(REQUESTS[name][-1])
    question.memory_space_id = ""
    with pytest.raises(InvalidInput) as refused:
        CODECS[name].decode_request(question)
    assert (refused.value.code, refused.value.field) == ("missing_field", "space")


def test_hits_have_their_vectors_only_if_they_were_asked_for() -> None:
    for include in (False, True):
        codec = CODECS["get"]
        (answer,) = codec.encode_result(codec.encode_request(Get("notes", ["a"], include_vectors=include)), Hits([HIT]))
        assert (codec.decode_result(answer)[0].vector is not None) is include


def test_the_client_asks_for_the_metadata_only_once() -> None:
    for request in (Recall("notes", QUERY), StreamRecall("notes", STREAM)):
        assert CODEC_OF[type(request)].encode_request(request).omit_metadata_map


def test_the_whole_error_of_an_unsound_space_arrives() -> None:
    error = CorruptData("it is torn", code="lost", field="manifest", value=12)
    unsound = UnsoundSpace("torn", error.code, error.message, error)
    (answer,) = CODECS["spaces"].encode_result(None, SpaceList((), (unsound,)))
    (arrived,) = CODECS["spaces"].decode_result(answer).unsound
    assert type(arrived.error) is CorruptData
    assert (arrived.error.field, arrived.error.value) == ("manifest", "12")


def test_a_level_that_only_a_later_server_knows_is_no_level() -> None:
    (answer,) = CODECS["space"].encode_result(None, SPACE)
    answer.pressure_level = 99
    assert CODECS["space"].decode_result(answer).pressure_level == ""


def test_nothing_to_remember_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        CODECS["observe"].decode_request(CODECS["observe"].method.request())
    assert refused.value.code == "no_operation"


def forget_request_of_before() -> Any:
    """The class of the request as servers have it that know neither filters nor dry runs."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="before.proto", package="before", syntax="proto3")
    made = file.message_type.add(name="ForgetRequest")
    for number, name in enumerate(("memory_space_id", "ids", "idempotency_key"), start=1):
        label = kinds.LABEL_REPEATED if name == "ids" else kinds.LABEL_OPTIONAL
        made.field.add(name=name, number=number, type=kinds.TYPE_STRING, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("before.ForgetRequest"))


def test_a_server_of_before_finds_nothing_to_delete_in_a_dry_run() -> None:
    older = forget_request_of_before()
    for dry_run, found in ((False, ["a", "b"]), (True, [])):
        question = CODECS["delete"].encode_request(Delete("notes", ["a", "b"], dry_run=dry_run))
        asked = older.FromString(question.SerializeToString())
        assert (asked.memory_space_id, list(asked.ids)) == ("notes", found)


def test_a_client_is_told_that_a_server_of_before_has_not_counted() -> None:
    codec = CODECS["delete"]
    of_before = codec.method.response(forgotten=0, generation=9)
    for request in (Delete("notes", ["a"], dry_run=True), Delete("notes", filter=CUE.conditions, dry_run=True)):
        question = codec.encode_request(request)
        with pytest.raises(FailedPrecondition) as refused:
            codec.check_answer(question, of_before)
        assert (refused.value.code, refused.value.field) == ("older_server", "dry_run")
        (answer,) = codec.encode_result(question, Deletion(1, 9))
        codec.check_answer(question, answer)
    codec.check_answer(codec.encode_request(Delete("notes", ["a"])), of_before)


def test_a_client_of_before_has_the_ids_that_it_counts_where_it_has_those_that_it_deletes() -> None:
    codec = CODECS["delete"]
    question = codec.method.request(memory_space_id="notes", ids=["a"], dry_run=True)
    assert codec.decode_request(question) == Delete("notes", ["a"], dry_run=True)


@pytest.mark.parametrize("fields", [{}, {"dry_run": True, "ids": ["b"]}], ids=str)
def test_ids_to_count_are_not_deleted(fields: dict[str, Any]) -> None:
    codec = CODECS["delete"]
    with pytest.raises(InvalidInput) as refused:
        codec.decode_request(codec.method.request(counted_ids=["a"], **fields))
    assert (refused.value.code, refused.value.field) == ("invalid_arguments", "counted_ids")
