"""The spans of an embedded space: its commits, and their way into the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import engram
from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.store.commit import commit_spans
from engram.store.commit.commit_spans import CommitSpans
from engram.store.commit.queue import CommitResult
from engram.tracing.switch import present_recorder
from tests.doubles.spans import attributes_of, id_of, parent_of, recorded_spans, trace_of


def test_a_commit_is_within_the_span_of_the_caller_and_the_index_within_the_commit() -> None:
    with engram.MemoryStore(None) as store, recorded_spans() as spans:
        notes = store.space("notes", dim=16, embedder="lexical")
        recorder = present_recorder()
        assert recorder is not None
        with recorder.here("the program").current():
            notes.observe(ids=["id-a", "id-b"], contents=["the pump leaks", "the crew meets at noon"])
        program, commit, index = spans.named("the program", "engram.commit", "engram.index")
        assert parent_of(commit) == id_of(program)
        assert parent_of(index) == id_of(commit)
        assert attributes_of(commit) == {
            "engram.space": "notes",
            "engram.count": 2,
            "engram.first_generation": 1,
            "engram.last_generation": 2,
        }
        assert attributes_of(index) == {"engram.space": "notes", "engram.count": 2, "engram.last_generation": 2}
        for span in (commit, index):
            assert not any(secret in span.to_json() for secret in ("id-a", "id-b", "pump", "noon"))


def test_there_is_one_span_for_a_batch_however_large_it_is() -> None:
    with engram.MemoryStore(None) as store, recorded_spans() as spans:
        notes = store.space("notes", dim=8)
        for first in (0, 500):
            notes.observe([f"id-{first + row}" for row in range(500)], [[float(row)] * 7 + [1.0] for row in range(500)])
        spans.named("engram.commit", "engram.index")
        commits = [span for span in spans.all if span.name == "engram.commit"]
        assert [attributes_of(span)["engram.count"] for span in commits] == [500, 500]
        assert trace_of(commits[0]) != trace_of(commits[1])


def test_without_tracing_the_answer_is_handed_on_as_it_is() -> None:
    answers: list[Any] = []
    done = answers.append
    assert CommitSpans("notes", lambda listener: None).around(done, 1) is done


def test_a_refused_commit_has_its_code_and_no_index() -> None:
    answers: list[Any] = []
    with recorded_spans() as spans:
        made = CommitSpans("notes", lambda listener: pytest.fail("nothing is to be indexed"))
        error = Unavailable("the disk is gone", code="log_failed")
        made.around(answers.append, 1)(error)
        made.around(answers.append, 1)(CommitResult(1, 1, 0, duplicate=True))
        assert [span.name for span in spans.all] == ["engram.commit"] * 2
        assert attributes_of(spans.all[0])["error.type"] == "log_failed"
    assert answers[0] is error


def test_what_waits_for_the_index_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_spans, "UNINDEXED_MAX", 2)
    listeners: list[Any] = []
    with recorded_spans() as spans:
        made = CommitSpans("notes", listeners.append)
        for generation in (1, 2, 3):
            made.around(lambda _: None, 1)(CommitResult(generation, generation, 1))
        (indexed,) = listeners
        indexed(1)
        assert [span.name for span in spans.all].count("engram.index") == 1
        indexed(3)
        assert [span.name for span in spans.all].count("engram.index") == 2


def test_what_is_not_linked_before_its_space_rests_has_spans_that_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = engram.StoreOptions(open_spaces_max=1, spaces_at_start_max=0, workers=1, drain_s=0.0, scrub_bytes_per_s=0)
    monkeypatch.setattr(HnswIndex, "link", lambda *_, **__: 0)
    with recorded_spans() as spans, engram.MemoryStore(tmp_path, options=options) as store:
        notes = store.space("notes", dim=8)
        notes.observe("id-a", [1.0] * 8)
        engine = notes._engine
        store.space("other", dim=8)
        assert engine.occupancy.rests
        (index,) = spans.named("engram.index")
        assert attributes_of(index) == {"engram.space": "notes", "engram.count": 1}
        # What comes late is linked by another engine.
        engine.spans.around(lambda _: None, 1)(CommitResult(2, 2, 1))
        assert [span.name for span in spans.all].count("engram.index") == 1
        assert not engine.spans._unindexed
