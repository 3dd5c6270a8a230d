"""Cues to queries, hits to memories."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue, Filter
from engram.model.hit import Hit
from engram.model.limits import CONTENT_BYTES_MAX, MESSAGE_BYTES_MAX, RESULTS_MAX, STREAM_RESULTS_MAX
from engram.model.query import Recalled
from engram.wire import engram_pb2 as pb
from engram.wire.recalls import decode_recall, decode_streaming_recall, encode_batch, encode_recalled


def make_hit(id: str, **fields: Any) -> Hit:
    """A hit with all columns, some of them given."""
    columns: dict[str, Any] = {
        "score": 0.5,
        "confidence": 0.75,
        "generation": 7,
        "content": "text",
        "metadata": {},
        "tags": [],
        "time_us": 1_500_000,
        "importance": 0.25,
        "indexed": True,
        "recalled_us": 4_000_000,
    }
    return Hit(id=id, **columns | fields)


def recalled(*hits: Hit, generation: int = 9) -> Recalled:
    return Recalled(hits, generation, len(hits), 1.5)


def test_a_hit_becomes_a_memory() -> None:
    hit = make_hit(
        "a",
        metadata={"n": 1, "deep": {"x": [1]}, "t": "ü"},
        tags=["x"],
        indexed=False,
        recent=True,
        vector=np.ones(3, np.float32),
    )
    (memory,) = encode_recalled(recalled(hit), embeddings=True).results
    assert (memory.id, memory.content, memory.generation) == ("a", "text", 7)
    assert (memory.score, memory.activation, memory.confidence, memory.importance) == (0.5, 0.5, 0.75, 0.25)
    assert dict(memory.metadata) == {"n": "1", "deep": '{"x": [1]}', "t": "ü"}
    assert json.loads(memory.metadata_json) == hit.metadata
    assert list(memory.tags) == ["x"]
    assert (memory.recent, memory.indexed, memory.age_s) == (True, False, 2.5)
    assert not memory.HasField("strength")
    assert list(memory.embedding) == [1, 1, 1]
    assert memory.created_at.ToMicroseconds() == 1_500_000


def test_embeddings_come_only_if_asked_for() -> None:
    (memory,) = encode_recalled(recalled(make_hit("a", vector=np.ones(3)))).results
    assert not memory.embedding


def test_a_client_that_reads_the_whole_metadata_gets_no_map() -> None:
    hits = make_hit("a", metadata={"n": 1}), make_hit("b", metadata={"n": 2})
    answer = encode_recalled(recalled(*hits), metadata_map=False)
    batch = encode_batch(recalled(*hits), metadata_map=False)
    for memories in (answer.results, batch.results):
        assert [json.loads(memory.metadata_json) for memory in memories] == [{"n": 1}, {"n": 2}]
        assert [dict(memory.metadata) for memory in memories] == [{}, {}]


def test_metadata_with_half_a_surrogate_pair_can_be_recalled() -> None:
    metadata = json.loads('{"k\\ud800": "v\\udfff"}')
    (memory,) = encode_recalled(recalled(make_hit("a", metadata=metadata))).results
    assert dict(memory.metadata) == {"k?": "v?"}
    assert json.loads(memory.metadata_json) == metadata


def test_figures_come_with_the_results() -> None:
    answer = encode_recalled(recalled(make_hit("a", score=0.5), make_hit("b", score=0.25)))
    assert answer.snapshot_sequence == 9
    assert answer.metadata.above_threshold == 2
    assert answer.metadata.avg_activation == 0.375
    assert answer.metadata.recall_time_ms == 1.5


@pytest.mark.parametrize("more", [True, False])
def test_a_batch_says_whether_more_come(more: bool) -> None:
    answer = encode_batch(replace(recalled(make_hit("a"), make_hit("b")), more=more))
    assert [memory.id for memory in answer.results] == ["a", "b"]
    assert (answer.more_results, answer.snapshot_sequence) == (more, 9)


def test_an_empty_batch_is_an_answer() -> None:
    answer = encode_batch(recalled())
    assert not answer.results
    assert answer.snapshot_sequence == 9


def test_a_batch_of_several_hits_is_refused_if_clients_would_not_accept_it() -> None:
    hits = [make_hit(f"{i}", content="x" * 60_000, metadata={"m": "y" * 60_000}) for i in range(20)]
    with pytest.raises(InvalidInput) as caught:
        encode_batch(recalled(*hits))
    assert (caught.value.code, caught.value.limit) == ("results_bytes", str(3 * 1024 * 1024))
    half = encode_batch(recalled(*hits[:10]))
    assert half.ByteSize() < 3 * 1024 * 1024
    assert [memory.id for memory in half.results] == [hit.id for hit in hits[:10]]


def test_a_hit_is_as_large_as_a_message_and_no_larger() -> None:
    metadata = {"m": "y" * 1024}
    large = make_hit("a", content="x" * CONTENT_BYTES_MAX, metadata=metadata)
    assert encode_batch(recalled(large)).results[0].content == large.content
    assert encode_recalled(recalled(large)).results[0].content == large.content
    several = [make_hit(f"{i}", content="ü" * 1024 * 1024) for i in range(20)]
    assert len(encode_recalled(recalled(*several[:19])).results) == 19
    with pytest.raises(InvalidInput) as caught:
        encode_recalled(recalled(*several))
    assert (caught.value.code, caught.value.limit) == ("results_bytes", str(MESSAGE_BYTES_MAX))


def vector(cue: Cue) -> list[float]:
    assert isinstance(cue.vector, np.ndarray)
    return list(cue.vector.tolist())


def test_a_vector_cue() -> None:
    query = decode_recall(
        pb.RecallRequest(cue=pb.Cue(embedding=pb.EmbeddingCue(vector=[1.0, 2.0], similarity_threshold=0.5)))
    )
    assert vector(query.cue) == [1.0, 2.0]
    assert (query.k, query.cue.score_min, query.max_generation, query.ef) == (10, 0.5, None, None)


def test_packed_bytes_win_over_numbers() -> None:
    cue = pb.EmbeddingCue(vector=[9.0], vector_f32=np.array([1, 2], "<f4").tobytes())
    query = decode_recall(pb.RecallRequest(cue=pb.Cue(embedding=cue, threshold=0.75), max_generation=5, ef=50))
    assert vector(query.cue) == [1.0, 2.0]
    assert (query.cue.score_min, query.max_generation, query.ef) == (0.75, 5, 50)


def test_a_text_cue_with_tags() -> None:
    semantic = pb.SemanticCue(query="coast", required_tags=["a"], excluded_tags=["b"])
    query = decode_streaming_recall(
        pb.StreamingRecallRequest(cue=pb.Cue(semantic=semantic, max_results=7), batch_size=3)
    )
    assert (query.cue.text, query.k, query.batch_size) == ("coast", 7, 3)
    assert isinstance(query.cue.filter, Filter)
    assert (query.cue.filter.tags, query.cue.filter.without_tags) == (frozenset("a"), frozenset("b"))


TEXT = pb.Cue(semantic=pb.SemanticCue(query="x"))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.StreamingRecallRequest(), "cue_missing"),
        (pb.StreamingRecallRequest(cue=pb.Cue(semantic=pb.SemanticCue(query="x"), by=9)), "invalid_cue"),  # type: ignore[arg-type]
        (pb.StreamingRecallRequest(cue=TEXT, follow=True), "invalid_recall"),
        (pb.StreamingRecallRequest(cue=TEXT, max_results=2**31), "invalid_max_results"),
        (pb.StreamingRecallRequest(cue=TEXT, batch_size=101), "invalid_batch_size"),
        (pb.StreamingRecallRequest(cue=TEXT, ef=10_001), "invalid_ef"),
        (
            pb.StreamingRecallRequest(cue=pb.Cue(embedding=pb.EmbeddingCue(vector_f32=b"123"))),
            "invalid_vector",
        ),
    ],
)
def test_impossible_recalls_are_refused(request_: pb.StreamingRecallRequest, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_streaming_recall(request_)
    assert caught.value.code == code


def test_a_stream_has_more_results_than_one_answer() -> None:
    many = STREAM_RESULTS_MAX
    assert decode_streaming_recall(pb.StreamingRecallRequest(cue=TEXT, max_results=many)).k == many
    assert decode_recall(pb.RecallRequest(cue=TEXT, max_results=RESULTS_MAX)).k == RESULTS_MAX
    with pytest.raises(InvalidInput) as caught:
        decode_recall(pb.RecallRequest(cue=TEXT, max_results=RESULTS_MAX + 1))
    assert (caught.value.code, caught.value.limit) == ("invalid_max_results", f"1..{RESULTS_MAX}")


def test_a_snapshot_by_time() -> None:
    request = pb.StreamingRecallRequest(cue=TEXT)
    request.snapshot_time.FromMicroseconds(1_234_567)
    query = decode_streaming_recall(request)
    assert (query.snapshot_us, query.max_generation) == (1_234_567, None)


def test_what_a_stream_is_asked_for() -> None:
    cue = pb.Cue(semantic=pb.SemanticCue(query="x"), score_min=0.0)
    query = decode_streaming_recall(
        pb.StreamingRecallRequest(cue=cue, include_recent=True, follow=True, timeout_ms=250)
    )
    assert (query.include_recent, query.follow, query.timeout_ms, query.cue.score_min) == (True, True, 250, 0.0)


def test_skipping_damage_is_asked_for_and_told() -> None:
    cue = pb.Cue(embedding=pb.EmbeddingCue(vector=[1.0]))
    for skip in (False, True):
        assert decode_recall(pb.RecallRequest(cue=cue, skip_damaged=skip)).skip_damaged is skip
        assert decode_streaming_recall(pb.StreamingRecallRequest(cue=cue, skip_damaged=skip)).skip_damaged is skip
        answer = Recalled([make_hit("a")], 9, 1, 1.5, incomplete=skip)
        assert encode_recalled(answer).metadata.incomplete is skip
        batch = encode_batch(answer)
        assert batch.metadata.incomplete is skip
