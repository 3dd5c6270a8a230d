"""Observations to and from messages."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.batches.checks import check_batch
from engram.model.observations import ObservationBatch, make_batch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.model.times import TIME_MAX_US, TIME_MIN_US, now_us
from engram.model.values.expiry import NOT_SAID_US
from engram.wire import engram_pb2 as pb
from engram.wire.observations import (
    decode_batch,
    decode_episode,
    decode_priority,
    decode_vector,
    encode_batch,
    encode_priority,
)
from engram.wire.times import from_timestamp, to_timestamp
from tests.doubles.batches import batch_of

SPACE = SpaceConfig("default", 8)


def same(a: ObservationBatch, b: ObservationBatch) -> bool:
    return (
        list(a.ids) == list(b.ids)
        and list(a.contents) == list(b.contents)
        and np.array_equal(a.vectors, b.vectors)
        and np.array_equal(a.times_us, b.times_us)
        and np.array_equal(a.confidences, b.confidences)
        and np.array_equal(a.importances, b.importances)
        and (a.metadata and list(a.metadata)) == (b.metadata and list(b.metadata))
        and (a.tags and [list(t) for t in a.tags]) == (b.tags and [list(t) for t in b.tags])
    )


def over_the_wire(message: pb.ObservationBatch) -> pb.ObservationBatch:
    return pb.ObservationBatch.FromString(message.SerializeToString())


def test_a_batch_survives_the_wire() -> None:
    batch = batch_of(["a", "b", "c"])
    decoded = decode_batch(over_the_wire(encode_batch(batch)))
    assert same(decoded, batch)
    assert decoded.vectors.dtype == np.float32
    assert decoded.vectors.flags.c_contiguous
    check_batch(decoded, SPACE)


@given(st.integers(1, 40), st.booleans(), st.booleans())
def test_optional_columns_may_be_empty(count: int, with_metadata: bool, with_tags: bool) -> None:
    batch = make_batch(
        ids=[f"id-{i}" for i in range(count)],
        vectors=np.ones((count, 8), np.float32),
        metadata=[{"i": i} for i in range(count)] if with_metadata else None,
        tags=[["t"]] * count if with_tags else None,
    )
    assert same(decode_batch(over_the_wire(encode_batch(batch))), batch)


def test_shares_are_left_out_if_all_are_the_default() -> None:
    vectors = np.ones((2, 8), np.float32)
    message = encode_batch(make_batch(["a", "b"], vectors, confidences=[1, 1], importances=[0.5, 0.25]))
    assert (list(message.confidences), list(message.importances)) == ([], [0.5, 0.25])


@given(st.lists(st.tuples(st.integers(TIME_MIN_US, TIME_MAX_US), st.floats(0, 1, width=32)), min_size=1, max_size=300))
def test_numbers_are_written_as_protobuf_does(rows: list[tuple[int, float]]) -> None:
    times, shares = zip(*rows, strict=True)
    batch = make_batch([str(i) for i in range(len(rows))], np.ones((len(rows), 8)), importances=shares)
    message = encode_batch(replace(batch, times_us=np.array(times, np.int64)))
    assert tuple(message.times_us) == times
    assert tuple(message.importances or [0.5] * len(rows)) == shares


def test_missing_columns_get_their_defaults() -> None:
    before = now_us()
    batch = decode_batch(
        pb.ObservationBatch(count=2, dimension=8, vectors=np.ones(16, "<f4").tobytes(), ids=["a", "b"])
    )
    assert batch.contents == ["", ""]
    assert batch.confidences.tolist() == [1, 1]
    assert batch.importances.tolist() == [0.5, 0.5]
    assert batch.metadata is None
    assert batch.tags is None
    assert before <= batch.times_us[0] <= now_us()


def test_half_precision_is_widened() -> None:
    rows = np.arange(16, dtype="<f2").reshape(2, 8)
    batch = decode_batch(
        pb.ObservationBatch(
            count=2, dimension=8, vector_type=pb.VECTOR_TYPE_FLOAT16, vectors=rows.tobytes(), ids=["a", "b"]
        )
    )
    assert batch.vectors.dtype == np.float32
    assert np.array_equal(batch.vectors, rows.astype(np.float32))


def test_a_batch_without_vectors_is_for_the_embedder() -> None:
    batch = decode_batch(pb.ObservationBatch(count=2, ids=["a", "b"], contents=["one", "two"]))
    assert batch.vectors.shape == (2, 0)


def test_times_that_nobody_gave_are_not_given_either_where_nothing_is_embedded() -> None:
    batch = decode_batch(pb.ObservationBatch(count=1, ids=["a"], contents=["one"], without_embedding=True))
    episode = decode_episode(pb.Episode(id="a", what="one", without_embedding=True))
    assert [(each.embeds, each.has_times) for each in (batch, episode)] == [(False, False), (False, False)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": 3}, "column_length"),
        ({"dimension": 7}, "vectors_size"),
        ({"dimension": 0}, "vectors_size"),
        ({"vectors": b"123"}, "vectors_size"),
        ({"vector_type": pb.VECTOR_TYPE_FLOAT16}, "vectors_size"),
        ({"vector_type": 9}, "invalid_vector_type"),
        ({"ids": ["a"], "count": 1}, "vectors_size"),
    ],
)
def test_vectors_that_do_not_divide_into_rows_are_refused(change: dict[str, object], code: str) -> None:
    fields: dict[str, object] = {
        "count": 2,
        "dimension": 8,
        "vectors": np.ones(16, "<f4").tobytes(),
        "ids": ["a", "b"],
        **change,
    }
    with pytest.raises(InvalidInput) as caught:
        decode_batch(pb.ObservationBatch(**fields))  # type: ignore[arg-type]  # Parametrised.
    assert caught.value.code == code


@pytest.mark.parametrize("column", ["contents", "times_us", "confidences", "importances", "metadata_json", "tags"])
def test_a_half_filled_column_is_refused_by_the_common_check(column: str) -> None:
    message = encode_batch(batch_of(["a", "b", "c"]))
    values = list(getattr(message, column))[:2]
    message.ClearField(column)  # type: ignore[arg-type]  # Parametrised.
    getattr(message, column).extend(values)
    with pytest.raises(InvalidInput) as caught:
        check_batch(decode_batch(message), SPACE)
    assert caught.value.code == "column_length"


def test_an_episode_becomes_one_row() -> None:
    episode = pb.Episode(
        id="walk",
        when=Timestamp(seconds=10, nanos=5_000_000),
        what="We walked.",
        embedding=[1.0] * 8,
        encoding_confidence=0.75,
        importance=0.25,
        tags=["outdoors"],
    )
    batch = decode_episode(episode)
    check_batch(batch, SPACE)
    assert (batch.ids, batch.contents) == (["walk"], ["We walked."])
    assert batch.times_us.tolist() == [10_005_000]
    assert (batch.confidences.tolist(), batch.importances.tolist()) == ([0.75], [0.25])
    assert batch.tags == [["outdoors"]]
    assert batch.metadata is None


def test_the_circumstances_of_an_episode_become_metadata() -> None:
    episode = pb.Episode(
        id="x",
        who=["Ada", "Bo"],
        why="fun",
        how="on foot",
        where_location="the coast",
        decay_rate=0.1,
        emotional_valence=-0.5,
        metadata={"mood": "good", "why": "overruled"},
    )
    batch = decode_episode(episode)
    assert batch.metadata is not None
    assert json.loads(batch.metadata[0]) == {
        "mood": "good",
        "who": ["Ada", "Bo"],
        "why": "fun",
        "how": "on foot",
        "where_location": "the coast",
        "decay_rate": 0.1,
        "emotional_valence": -0.5,
    }
    assert batch.vectors.shape == (1, 0)


def test_defaults_of_an_episode() -> None:
    batch = decode_episode(pb.Episode(id="x", embedding_f32=np.ones(8, "<f4").tobytes()))
    assert (batch.confidences.tolist(), batch.importances.tolist()) == ([1.0], [0.5])
    assert batch.vectors.shape == (1, 8)


def test_numbers_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(InvalidInput):
        decode_episode(pb.Episode(id="x", decay_rate=float("nan")))


def test_embedding_bytes_must_be_whole_numbers() -> None:
    with pytest.raises(InvalidInput):
        decode_episode(pb.Episode(id="x", embedding_f32=b"12345"))
    assert decode_vector(b"", [1.0, 2.0], "v").tolist() == [1.0, 2.0]


@pytest.mark.parametrize("priority", list(Priority))
def test_priorities_survive_the_wire(priority: Priority) -> None:
    assert decode_priority(encode_priority(priority)) is priority


def test_an_unspecified_priority_is_normal_and_an_unknown_one_refused() -> None:
    assert decode_priority(0) is Priority.NORMAL
    with pytest.raises(InvalidInput):
        decode_priority(7)


@given(st.integers(TIME_MIN_US, TIME_MAX_US))
def test_times_survive_the_wire(time_us: int) -> None:
    timestamp = to_timestamp(time_us)
    assert 0 <= timestamp.nanos < 10**9
    assert from_timestamp(timestamp, "when") == time_us


@pytest.mark.parametrize("timestamp", [Timestamp(seconds=2**62), Timestamp(nanos=-1), Timestamp(nanos=10**9)])
def test_impossible_times_are_refused(timestamp: Timestamp) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_timestamp(timestamp, "when")
    assert caught.value.field == "when"


UNKNOWN_BEFORE: dict[str, dict[str, object]] = {
    "an expiry": {"expires_us": np.array([5, NOT_SAID_US], np.int64)},
    "no text": {"text_presence": np.array([True, False])},
}


@pytest.mark.parametrize("columns", UNKNOWN_BEFORE.values(), ids=UNKNOWN_BEFORE)
def test_a_server_of_before_refuses_what_it_would_store_otherwise(columns: dict[str, object]) -> None:
    message = encode_batch(replace(batch_of(["a", "b"]), **columns))  # type: ignore[arg-type]  # Parametrised.
    assert same(decode_batch(over_the_wire(message)), batch_of(["a", "b"]))
    # What such a server passes over.
    message.ClearField("expires_us")
    message.ClearField("text_presence")
    with pytest.raises(InvalidInput) as refused:
        decode_batch(over_the_wire(message))
    assert (refused.value.code, refused.value.field) == ("column_length", "ids")


def test_a_count_is_left_out_or_right() -> None:
    message = encode_batch(batch_of(["a", "b"]))
    assert message.count == 2
    message.expires_us.extend([5, 6])
    for count, is_taken in ((2, True), (0, True), (1, False), (3, False)):
        message.count = count
        if is_taken:
            assert decode_batch(over_the_wire(message)).ids == ["a", "b"]
        else:
            with pytest.raises(InvalidInput):
                decode_batch(over_the_wire(message))
