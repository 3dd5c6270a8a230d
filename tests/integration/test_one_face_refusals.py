"""What a space refuses, it refuses with the same errors embedded and over every transport."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from engram import Between, Cue, Filter, RecallQuery, Strength
from engram.errors import FailedPrecondition, InvalidInput
from tests.doubles.places import ROOT
from tests.integration.homes import HOMES, vector_of
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer

ONES = np.ones(DIM)
NAMES = [f"id-{number}" for number in range(600)]
SOUND: Any = "sound"
URGENT = Filter(tags={"urgent"})
MANY_TAGS = {f"tag-{number}" for number in range(65)}
REFUSED: list[tuple[Any, str, str]] = [
    (lambda home: home.observe(), "invalid_arguments", "ids"),
    (lambda home: home.observe(None), "invalid_arguments", "ids"),
    (lambda home: home.observe("a", ONES, "t", content="t"), "invalid_arguments", "id"),
    (lambda home: home.observe("a", ONES, "t", ids=["x"]), "invalid_arguments", "id"),
    (lambda home: home.observe(id="b", ids="c", vector=ONES), "invalid_arguments", "id"),
    (lambda home: home.observe(["a"], [ONES], ["t"], 1, 2, 3, 4, 5, 6), "invalid_arguments", "ids"),
    (lambda home: home.observe(["a"], [ONES], contens=["t"]), "unknown_argument", "contens"),
    (lambda home: home.observe("a", ONES, texts="t"), "unknown_argument", "texts"),
    (lambda home: home.observe("a", ONES, confidences=0.5), "unknown_argument", "confidences"),
    (lambda home: home.observe(["a"], [ONES], confidence=0.5), "unknown_argument", "confidence"),
    (lambda home: home.observe("a", ONES, tags="urgent"), "not_a_list", "tags"),
    (lambda home: home.observe("a", ONES, tags=["x", 1]), "invalid_text", "tags"),
    (lambda home: home.observe("a", ONES, tags=["x"] * 100), "tags_count", "tags[0]"),
    (lambda home: home.observe("a", ONES, confidence="1"), "confidence_range", "confidence"),
    (lambda home: home.observe("a", ONES, confidence=2), "confidence_range", "confidence[0]"),
    (lambda home: home.observe("a", ONES, metadata=[1]), "invalid_metadata", "metadata"),
    (lambda home: home.observe("a", ONES, timestamp="x"), "invalid_time", "timestamp"),
    (lambda home: home.observe("a", ONES, 5), "invalid_text", "content"),
    (lambda home: home.observe("a", ONES, b"x"), "invalid_text", "content"),
    (lambda home: home.observe("", ONES), "id_size", "id[0]"),
    (lambda home: home.observe("\ud800", ONES), "invalid_text", "id"),
    (lambda home: home.observe(b"a", ONES), "not_a_list", "ids"),
    (lambda home: home.observe({"a"}, [ONES]), "not_a_list", "ids"),
    (lambda home: home.observe(["a", 5], [ONES, ONES]), "invalid_text", "id[1]"),
    (lambda home: home.observe([], np.empty((0, DIM))), "batch_count", "batch"),
    (lambda home: home.observe([]), "batch_count", "batch"),
    (lambda home: home.observe(["x"] * 10_001, np.ones((10_001, DIM))), "batch_count", "batch"),
    (lambda home: home.observe("a", np.ones((1, DIM))), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", ONES[:4]), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", 5), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", [], "t"), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", np.empty(0), "t"), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", "x"), "invalid_vector", "vector"),
    (lambda home: home.observe("a", ONES * 0), "zero_vector", "embedding[0]"),
    (lambda home: home.observe("a", ONES * np.nan), "not_finite", "embedding[0][0]"),
    (lambda home: home.observe(["a"], ONES), "dimension_mismatch", "vectors"),
    (lambda home: home.observe(["a"], [ONES[:4]]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], [[]], ["t"]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], np.empty((1, 0)), ["t"]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], np.empty((5, 0)), ["t"]), "column_length", "vectors"),
    (lambda home: home.observe(["a", "b"], np.empty((0, DIM)), ["t", "u"]), "column_length", "vectors"),
    (lambda home: home.observe(["a"], [ONES], ["t", "u"]), "column_length", "contents"),
    (lambda home: home.observe(["a"], [ONES], "t"), "not_a_list", "contents"),
    (lambda home: home.observe(["a"], [ONES], confidences=1.0), "not_a_list", "confidences"),
    (lambda home: home.observe(["a"], [ONES], confidences=[1, 2]), "column_length", "confidences"),
    (lambda home: home.observe(["a"], [ONES], tags=["x"]), "not_a_list", "tags[0]"),
    (lambda home: home.recall(ONES, 0), "invalid_k", "k"),
    (lambda home: home.recall(ONES, k=3.0), "invalid_k", "k"),
    (lambda home: home.recall(ONES, None), "invalid_k", "k"),
    (lambda home: home.recall(ONES, count=3), "unknown_argument", "count"),
    (lambda home: home.recall(ONES, follow=True), "unknown_argument", "follow"),
    (lambda home: home.recall(ONES, filter={"deck": 2}), "unknown_argument", "filter"),
    (lambda home: home.snapshot().recall(ONES, by="words"), "unknown_argument", "by"),
    (lambda home: home.recall(ONES, ef=0), "invalid_ef", "ef"),
    (lambda home: home.recall(ONES, strength=1), "invalid_recall", "strength"),
    (lambda home: home.recall(ONES, max_generation=-1), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall(ONES, max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall(ONES, max_generation=1, snapshot_time=1), "invalid_recall", "snapshot_time"),
    (lambda home: home.recall(ONES, include_vectors="yes"), "invalid_flag", "include_vectors"),
    (lambda home: home.recall(ONES, include_vectors=None), "invalid_flag", "include_vectors"),
    (lambda home: home.recall(ONES, skip_damaged="no"), "invalid_flag", "skip_damaged"),
    (lambda home: home.recall(None), "cue_missing", "cue"),
    (lambda home: home.recall(ONES[:4]), "dimension_mismatch", "embedding"),
    (lambda home: home.recall([ONES]), "dimension_mismatch", "vector"),
    (lambda home: list(home.recall_stream(ONES, 10, 101)), "invalid_batch_size", "batch_size"),
    (lambda home: list(home.recall_stream(ONES, k=10_001)), "invalid_k", "k"),
    (lambda home: list(home.recall_stream(ONES, follow=True)), "invalid_recall", "score_min"),
    (lambda home: home.recall_stream(ONES, follow="no"), "invalid_flag", "follow"),
    (lambda home: home.recall_stream(ONES, include_recent="no"), "invalid_flag", "include_recent"),
    (lambda home: home.recall_stream(ONES, timeout_ms=-1), "invalid_recall", "timeout_ms"),
    (lambda home: home.answer({"k": 3}), "invalid_recall", "query"),
    (lambda home: home.open("a text"), "invalid_recall", "query"),
    (lambda home: home.get(3), "invalid_text", "id"),
    (lambda home: home.get("a", 99), "invalid_max_generation", "max_generation"),
    (lambda home: home.get("a", "x"), "invalid_max_generation", "max_generation"),
    (lambda home: home.get("a", include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.snapshot().get("a", include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.snapshot(99), "invalid_max_generation", "max_generation"),
    (lambda home: home.snapshot(1, snapshot_time=1.0), "invalid_recall", "snapshot_time"),
    (lambda home: home.snapshot(snapshot_time="yesterday"), "invalid_time", "snapshot_time"),
    (lambda home: home.delete("note-1"), "not_a_list", "ids"),
    (lambda home: home.delete({"a": 1}), "not_a_list", "ids"),
    (lambda home: home.delete([3]), "invalid_text", "ids[0]"),
    (lambda home: home.delete(["x"] * 10_001), "batch_count", "ids"),
    (lambda home: home.observe("i" * 513, ONES), "id_size", "id[0]"),
    (lambda home: home.observe("a", ONES, "t" * 65_537), "content_size", "content[0]"),
    (lambda home: home.observe("a", ONES, tags=["t" * 129]), "tag_size", "tag[0]"),
    (lambda home: home.observe(["a"], [ONES], tags=[[""]]), "tag_size", "tag[0]"),
    (lambda home: home.observe("a", ONES, importance=-1), "importance_range", "importance[0]"),
    (lambda home: home.observe("a", ONES * 1e38), "vector_norm", "embedding[0]"),
    (lambda home: home.observe("a", ONES, metadata={"n": np.nan}), "invalid_metadata", "metadata"),
    (lambda home: home.observe("a", ONES, metadata="{"), "invalid_metadata", "metadata[0]"),
    (lambda home: home.observe("a", ONES, timestamp=1e15), "invalid_time", "timestamp"),
    (lambda home: home.observe(["a"], [ONES], confidences=["x"]), "invalid_column", "confidences"),
    (lambda home: home.observe(NAMES, np.ones((600, DIM)), ["t" * 65_536] * 600), "batch_bytes", "batch"),
    (lambda home: home.submit(["a"], [ONES * 0]), "zero_vector", "embedding[0]"),
    (lambda home: home.submit("a", ONES * 0).result(), "zero_vector", "embedding[0]"),
    (lambda home: home.submit(texts=["a"]), "unknown_argument", "texts"),
    (lambda home: home.recall(ONES, k=10_001), "invalid_k", "k"),
    (lambda home: home.recall(ONES, ef=10_001), "invalid_ef", "ef"),
    (lambda home: home.recall(ONES * np.nan), "not_finite", "embedding[0][0]"),
    (lambda home: home.recall(ONES * 0), "zero_vector", "embedding[0]"),
    (lambda home: home.recall(ONES * 1e38), "vector_norm", "embedding[0]"),
    (lambda home: home.recall(["x"] * DIM), "invalid_vector", "vector"),
    (lambda home: home.recall(Cue(ONES, by="words")), "invalid_cue", "text"),
    (lambda home: home.recall(Cue(ONES, by=SOUND)), "invalid_cue", "by"),
    (lambda home: home.recall(Cue(ONES, filter=Filter(tags={""}))), "invalid_cue", "tag"),
    (lambda home: home.recall(Cue(ONES, filter=Filter(tags=MANY_TAGS))), "invalid_cue", "filter"),
    (lambda home: home.recall(Cue(ONES, filter=Filter(metadata={"n": Between(2, 1)}))), "invalid_cue", "Between"),
    (lambda home: home.recall(Cue(ONES, filter=Filter(since="x"))), "invalid_time", "since"),
    (lambda home: home.recall(""), "invalid_cue", "text"),
    (lambda home: home.recall(ONES, strength=Strength(half_life_s=0)), "invalid_strength", "half_life_s"),
    (lambda home: home.recall(ONES, snapshot_time="x"), "invalid_time", "snapshot_time"),
    (lambda home: list(home.recall_stream(ONES * 0)), "zero_vector", "embedding[0]"),
    (lambda home: list(home.recall_stream(ONES[:4])), "dimension_mismatch", "embedding"),
    (lambda home: list(home.recall_stream(ONES, max_generation=99)), "invalid_max_generation", "max_generation"),
    (
        lambda home: list(home.open(RecallQuery(Cue(ONES), max_generation=99))),
        "invalid_max_generation",
        "max_generation",
    ),
    (lambda home: home.answer(RecallQuery(Cue(ONES[:4]))), "dimension_mismatch", "embedding"),
    (lambda home: home.get("\ud800"), "invalid_text", "id"),
    (lambda home: home.get("a", -1), "invalid_max_generation", "max_generation"),
    (lambda home: home.snapshot(-1), "invalid_max_generation", "max_generation"),
    (lambda home: home.snapshot().recall(ONES, 0), "invalid_k", "k"),
    (lambda home: home.snapshot().recall(ONES, max_generation=1), "unknown_argument", "max_generation"),
    (lambda home: home.snapshot().recall_stream(ONES, 0), "invalid_k", "k"),
    (lambda home: home.delete(3), "not_a_list", "ids"),
    (lambda home: home.delete(["\ud800"]), "invalid_text", "ids[0]"),
    (lambda home: home.delete(), "not_a_list", "ids"),
    (lambda home: home.delete(["a"], filter=URGENT), "invalid_arguments", "filter"),
    (lambda home: home.delete(["a"], max_generation=1), "invalid_arguments", "max_generation"),
    (lambda home: home.delete(["a"], dry_run="no"), "invalid_flag", "dry_run"),
    (lambda home: home.delete(filter={"tags": 5}), "not_a_list", "tags"),
    (lambda home: home.delete(filter=Filter()), "empty_filter", "filter"),
    (lambda home: home.delete(filter=URGENT, dry_run=1), "invalid_flag", "dry_run"),
    (lambda home: home.delete(filter=URGENT, max_generation="x"), "invalid_max_generation", "max_generation"),
    (lambda home: home.delete(filter=URGENT, max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.get(None), "invalid_text", "id"),
    (lambda home: home.get(b"a"), "invalid_text", "id"),
    (lambda home: home.get(["a", 3]), "invalid_text", "id[1]"),
    (lambda home: home.get(["a", None]), "invalid_text", "id[1]"),
    (lambda home: home.get({"a", "b"}), "not_a_list", "id"),
    (lambda home: home.get({"a": 1}), "not_a_list", "id"),
    (lambda home: home.get(str(number) for number in range(10_001)), "batch_count", "id"),
    (lambda home: home.get(["a"], 99), "invalid_max_generation", "max_generation"),
    (lambda home: home.get(["a"], include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.get([], include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.snapshot().get(["a", 3]), "invalid_text", "id[1]"),
    (lambda home: home.scan("urgent"), "invalid_filter", "filter"),
    (lambda home: home.scan({"and": [{"deck": 1}] * 2000}), "filter_size", "filter"),
    (lambda home: home.scan(order="score"), "invalid_scan", "order"),
    (lambda home: home.scan(order=["id"]), "invalid_scan", "order"),
    (lambda home: home.scan(page_size=0), "invalid_scan", "page_size"),
    (lambda home: home.scan(page_size=10_001), "invalid_scan", "page_size"),
    (lambda home: home.scan(page_size="10"), "invalid_scan", "page_size"),
    (lambda home: home.scan(reverse="no"), "invalid_flag", "reverse"),
    (lambda home: home.scan(reverse=None), "invalid_flag", "reverse"),
    (lambda home: home.scan(include_vectors=1), "invalid_flag", "include_vectors"),
    (lambda home: home.scan(skip_damaged=1), "invalid_flag", "skip_damaged"),
    (lambda home: home.scan(max_generation=-1), "invalid_max_generation", "max_generation"),
    (lambda home: list(home.scan(max_generation=99)), "invalid_max_generation", "max_generation"),
    (lambda home: home.scan(sort="id"), "unknown_argument", "sort"),
    (lambda home: home.scan(cursor=5), "invalid_cursor", "cursor"),
    (lambda home: home.scan(cursor="x" * 20_000), "invalid_cursor", "cursor"),
    (lambda home: list(home.scan(cursor="nonsense")), "invalid_cursor", "cursor"),
    (lambda home: home.snapshot().scan(max_generation=1), "unknown_argument", "max_generation"),
    (lambda home: home.snapshot().scan(order="score"), "invalid_scan", "order"),
    (lambda home: home.facets(5), "not_a_list", "keys"),
    (lambda home: home.facets([5]), "invalid_facets", "keys[0]"),
    (lambda home: home.facets({"n"}), "not_a_list", "keys"),
    (lambda home: home.facets("n" * 257), "invalid_facets", "keys"),
    (lambda home: home.facets(["n", "n"]), "invalid_facets", "keys"),
    (lambda home: home.facets("tags", fields="tags"), "invalid_facets", "keys"),
    (lambda home: home.facets(NAMES[:65]), "invalid_facets", "keys"),
    (lambda home: home.facets(fields="vector"), "invalid_facets", "fields"),
    (lambda home: home.facets("n", "urgent"), "invalid_filter", "filter"),
    (lambda home: home.facets("n", limit=0), "invalid_facets", "limit"),
    (lambda home: home.facets("n", max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.snapshot().facets("n", limit=0), "invalid_facets", "limit"),
    (lambda home: home.recall_many(None), "cue_missing", "cues"),
    (lambda home: home.recall_many("words"), "not_a_list", "cues"),
    (lambda home: home.recall_many(Cue(ONES)), "not_a_list", "cues"),
    (lambda home: home.recall_many({"a": ONES}), "not_a_list", "cues"),
    (lambda home: home.recall_many({"words"}), "not_a_list", "cues"),
    (lambda home: home.recall_many(5), "not_a_list", "cues"),
    (lambda home: home.recall_many(ONES), "dimension_mismatch", "cues"),
    (lambda home: home.recall_many(np.ones((1, 1, DIM))), "dimension_mismatch", "cues"),
    (lambda home: home.recall_many(np.ones((2, 4))), "dimension_mismatch", "cues"),
    (lambda home: home.recall_many(np.ones((2, 0))), "dimension_mismatch", "cues"),
    (lambda home: home.recall_many([ONES, ONES[:4]]), "dimension_mismatch", "cues[1]"),
    (lambda home: home.recall_many([Cue(ONES), Cue(ONES[:4])]), "dimension_mismatch", "cues[1]"),
    (lambda home: home.recall_many([[ONES]]), "dimension_mismatch", "cues[0]"),
    (lambda home: home.recall_many([ONES, None]), "cue_missing", "cues[1]"),
    (lambda home: home.recall_many([Cue(ONES), ""]), "invalid_cue", "cues[1]"),
    (lambda home: home.recall_many([ONES, ["x"] * DIM]), "invalid_vector", "cues[1]"),
    (lambda home: home.recall_many(np.ones((1, DIM)) * 1j), "invalid_vector", "cues"),
    (lambda home: home.recall_many(np.ma.masked_array(np.ones((1, DIM)))), "invalid_vector", "cues"),
    (lambda home: home.recall_many([ONES, np.ma.masked_array(ONES)]), "invalid_vector", "cues[1]"),
    (lambda home: home.recall_many([ONES, ONES * np.nan]), "not_finite", "cues[1][0]"),
    (lambda home: home.recall_many([Cue(ONES), ONES * np.inf]), "not_finite", "cues[1][0]"),
    (lambda home: home.recall_many([ONES, ONES * 0]), "zero_vector", "cues[1]"),
    (lambda home: home.recall_many([ONES * 1e38]), "vector_norm", "cues[0]"),
    (lambda home: home.recall_many([ONES] * 2500 + [ONES * 0]), "zero_vector", "cues[2500]"),
    (lambda home: home.recall_many(ONES for _ in range(10_001)), "cues_count", "cues"),
    (lambda home: home.recall_many([ONES], 0), "invalid_k", "k"),
    (lambda home: home.recall_many([ONES], "3"), "invalid_k", "k"),
    (lambda home: home.recall_many([], k=10_001), "invalid_k", "k"),
    (lambda home: home.recall_many([ONES], text="x"), "unknown_argument", "text"),
    (lambda home: home.recall_many([ONES], score_min=0.5), "unknown_argument", "score_min"),
    (lambda home: home.recall_many([ONES], filter="urgent"), "invalid_filter", "filter"),
    (lambda home: home.recall_many([ONES], ef=0), "invalid_ef", "ef"),
    (lambda home: home.recall_many([ONES], strength=1), "invalid_recall", "strength"),
    (lambda home: home.recall_many([ONES], max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall_many([], max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall_many([ONES], max_generation=1, snapshot_time=1), "invalid_recall", "snapshot_time"),
    (lambda home: home.recall_many([ONES], skip_damaged="no"), "invalid_flag", "skip_damaged"),
    (lambda home: home.snapshot().recall_many([ONES], 0), "invalid_k", "k"),
    (lambda home: home.snapshot().recall_many([ONES], max_generation=1), "unknown_argument", "max_generation"),
]
"""Careless calls, and how every home refuses them."""


@pytest.mark.parametrize("name", HOMES)
def test_bad_arguments_are_named_alike(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as home:
        home.observe("there", vector_of("there"))
        told = []
        for call, *_ in REFUSED:
            with pytest.raises(InvalidInput) as refusal:
                call(home)
            told.append([type(refusal.value), refusal.value.code, refusal.value.field])
        assert told == [[InvalidInput, code, field] for _, code, field in REFUSED]
        assert len(home.recall(vector_of("there"), 100)) == 1


# What no call of a space can cause: it is refused before, in the constructor of something, or by the wire.
ELSEWHERE = {
    "invalid_input": "the code of the class, which no check uses",
    "invalid_idempotency_key": "the clients send no keys",
    "idempotency_key_reused": "the clients send no keys",
    "results_bytes": "the clients ask again for a stream",
    "message_bytes": "the clients make no message that large",
    "json_bytes": "the clients make no JSON that large",
    "empty_text": "below, in a space with an embedder",
    "not_storable": "needs a fault of the engine",
    "invalid_vector_type": "a message of protobuf",
    "vectors_size": "a message of protobuf",
    "invalid_max_results": "the old name of k in messages of protobuf",
    "facet_values": "needs a million different values; `test_facet_counts.py` lowers the limit",
}


def test_every_code_of_bad_input_is_told_of() -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    table = page.partition("| code | what was refused |")[2].partition("\n\n")[0]
    documented = {
        code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert documented - {code for _, code, _ in REFUSED} == set(ELSEWHERE)


@pytest.mark.parametrize(
    "call",
    [
        lambda home: home.observe("a", None, "words"),
        lambda home: home.observe("a"),
        lambda home: home.observe(["a"], None, ["words"]),
        lambda home: home.observe(["a"]),
        lambda home: home.recall("words"),
        lambda home: home.recall_many([ONES, "words"]),
    ],
)
def test_text_without_an_embedder_is_refused_alike(home: Any, call: Any) -> None:
    with pytest.raises(FailedPrecondition) as refusal:
        call(home)
    assert (refusal.value.code, refusal.value.field) == ("no_embedder", "embedder")


@pytest.mark.parametrize(
    "call",
    [
        lambda home: home.observe("a", None, " "),
        lambda home: home.observe("a"),
        lambda home: home.observe(["a", "b"], None, ["words", ""]),
        lambda home: home.recall(" "),
        lambda home: home.recall(Cue(text="\n", by="both")),
        lambda home: home.recall_many(["tea", " "]),
        lambda home: list(home.recall_stream(" ")),
    ],
)
def test_a_text_without_a_visible_character_is_refused_alike(reading_home: Any, call: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        call(reading_home)
    assert refusal.value.code == "empty_text"
