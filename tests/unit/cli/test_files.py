"""Reading files of observations: what comes out, in what chunks, and how bad rows are named."""

from __future__ import annotations

import datetime
import importlib
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from engram.cli.files.chunk import FileChunk, FileSource, screen
from engram.cli.files.jsonl import JsonlSource
from engram.cli.files.npz import NpzSource
from engram.cli.files.open_file import fingerprint, open_source
from engram.cli.files.parquet import ParquetSource
from engram.errors import InvalidInput, MissingExtra
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig

# By name, because the package has no types.
arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")

CONFIG = SpaceConfig("test", dim=8)
WITH_EMBEDDER = SpaceConfig("test", dim=8, embedder="lexical")
VECTOR = [1.0] * 8


def jsonl(tmp_path: Path, *lines: Any) -> JsonlSource:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return JsonlSource(path)


def one_chunk(source: FileSource) -> FileChunk:
    chunks = list(source.chunks(100))
    assert len(chunks) == 1
    return chunks[0]


def only_batch(source: FileSource, config: SpaceConfig = CONFIG) -> ObservationBatch:
    screened = screen(one_chunk(source), config)
    assert screened.bad == []
    assert screened.batch is not None
    return screened.batch


def reason(source: FileSource, config: SpaceConfig = CONFIG) -> str:
    screened = screen(one_chunk(source), config)
    assert [row.number for row in screened.bad] == [1]
    return screened.bad[0].reason


# ---- JSON Lines -----------------------------------------------------------------------------------------------


def test_a_line_has_all_the_fields(tmp_path: Path) -> None:
    row = {
        "id": "a",
        "text": "ä text",
        "embedding": VECTOR,
        "time": "1970-01-01T00:00:01.5Z",
        "confidence": 0.25,
        "importance": 1,
        "metadata": {"k": [1, None]},
        "tags": ["x", "y"],
    }
    batch = only_batch(jsonl(tmp_path, row))
    assert (list(batch.ids), list(batch.contents), batch.times_us.tolist()) == (["a"], ["ä text"], [1_500_000])
    assert (batch.confidences.tolist(), batch.importances.tolist()) == ([0.25], [1.0])
    assert batch.metadata is not None
    assert batch.tags is not None
    assert (json.loads(batch.metadata[0]), list(batch.tags[0])) == ({"k": [1, None]}, ["x", "y"])


def test_only_the_id_is_needed_where_the_space_has_an_embedder(tmp_path: Path) -> None:
    batch = only_batch(jsonl(tmp_path, {"id": "a", "text": "words"}), WITH_EMBEDDER)
    assert batch.vectors.shape == (1, 0)
    assert "has no embedder" in reason(jsonl(tmp_path, {"id": "a", "text": "words"}))


def test_a_line_without_an_id_gets_one_that_comes_after_those_before(tmp_path: Path) -> None:
    rows = [{"embedding": VECTOR}, {"id": None, "embedding": VECTOR}, {"id": "mine", "embedding": VECTOR}]
    first, second, given = only_batch(jsonl(tmp_path, *rows)).ids
    assert (first < second, given, UUID(first).version) == (True, "mine", 7)


def test_times_may_be_seconds(tmp_path: Path) -> None:
    assert only_batch(jsonl(tmp_path, {"id": "a", "embedding": VECTOR, "time": 2.5})).times_us.tolist() == [2_500_000]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"{", "not valid JSON"),
        (b'{"text": null}', "there is nothing to observe"),
        (b"[1]", "a JSON object is needed, not list"),
        (b"\xff", "can't decode"),
        (b"[" * 100_000, "recursion"),
        ({"id": 5}, "'id' must be a text"),
        ({"id": "a", "vector": VECTOR}, "unknown field 'vector'; known are id, embedding, text"),
        ({"id": "a", "embedding": "x"}, "'embedding' must be an array of numbers"),
        ({"id": "a", "embedding": []}, "'embedding' has shape (0,)"),
        ({"id": "a", "embedding": [[1.0]]}, "'embedding' has shape (1, 1)"),
        ({"id": "a", "embedding": [None] * 8}, "pass real numbers"),
        ({"id": "a", "embedding": [1.0] * 7}, "dimension 7"),
        ({"id": "a", "embedding": [0.0] * 8}, "zero vector"),
        ({"id": "", "embedding": VECTOR}, "id of observation 0 has 0 bytes"),
        ({"id": "a", "embedding": VECTOR, "time": "soon"}, "'time' is 'soon' (of type str); pass seconds since 1970"),
        ({"id": "a", "embedding": VECTOR, "time": True}, "'time' is True (of type bool)"),
        ({"id": "a", "embedding": VECTOR, "time": 1e300}, "within the years 1 to 9999"),
        ({"id": "a", "embedding": VECTOR, "confidence": "high"}, "'confidence' is 'high' (of type str); pass a number"),
        ({"id": "a", "embedding": VECTOR, "confidence": 2}, "must be in [0, 1]"),
        ({"id": "a", "embedding": VECTOR, "metadata": [1]}, "'metadata' must be an object"),
        ({"id": "a", "embedding": VECTOR, "tags": "x"}, "'tags' must be an array of texts"),
    ],
)
def test_a_bad_line_says_what_is_wrong(tmp_path: Path, line: Any, part: str) -> None:
    assert part in reason(jsonl(tmp_path, line))


def test_bad_lines_are_named_by_number_and_the_others_are_kept(tmp_path: Path) -> None:
    good = {"id": "a", "embedding": VECTOR}
    source = jsonl(tmp_path, good, b"", {"id": 1}, {**good, "embedding": [0.0] * 8}, {**good, "id": "b"})
    screened = screen(one_chunk(source), CONFIG)
    assert screened.batch is not None
    assert (list(screened.batch.ids), list(screened.numbers)) == (["a", "b"], [1, 5])
    assert [row.number for row in screened.bad] == [3, 4]


def test_chunks_are_bounded_and_end_where_the_dimension_changes(tmp_path: Path) -> None:
    rows = [{"id": str(n), "embedding": VECTOR if n != 3 else [1.0]} for n in range(6)]
    source = jsonl(tmp_path, *rows)
    chunks = list(source.chunks(2))
    assert [list(chunk.ids) for chunk in chunks] == [["0", "1"], ["2"], ["3"], ["4", "5"]]
    assert chunks[-1].position == source.total


def test_an_endless_line_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.cli.files.jsonl._LINE_BYTES_MAX", 1_000_000)
    assert "longer than" in reason(jsonl(tmp_path, b" " + b"x" * 3_000_000))


# ---- NumPy ----------------------------------------------------------------------------------------------------


def npz(tmp_path: Path, **arrays: Any) -> NpzSource:
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return NpzSource(path)


def test_an_archive_is_read_in_chunks(tmp_path: Path) -> None:
    vectors = np.arange(5 * 8, dtype=np.float64).reshape(5, 8) + 1
    source = npz(
        tmp_path,
        ids=np.array(["a", "b", "c", "d", "ä"]),
        vectors=vectors,
        contents=np.array(["1", "2", "3", "4", "5"]),
        times=np.arange(5).astype("datetime64[s]"),
        confidences=np.linspace(0, 1, 5),
        metadata=np.array(['{"n":1}', "", "", "", ""]),
    )
    assert source.total == 5
    batches = [screen(chunk, CONFIG).batch for chunk in source.chunks(2)]
    kept = [batch for batch in batches if batch is not None]
    assert [list(batch.ids) for batch in kept] == [["a", "b"], ["c", "d"], ["ä"]]
    assert np.array_equal(np.concatenate([batch.vectors for batch in kept]), vectors.astype(np.float32))
    assert kept[1].times_us.tolist() == [2_000_000, 3_000_000]
    assert kept[0].metadata == ['{"n":1}', ""]


def test_compressed_archives_and_float16_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, ids=np.array(["a"]), vectors=np.ones((1, 8), np.float16))
    assert only_batch(NpzSource(path)).vectors.dtype == np.float32


def test_an_archive_without_ids_gets_some(tmp_path: Path) -> None:
    source = npz(tmp_path, vectors=np.ones((5, 8)))
    ids = [id for chunk in source.chunks(2) for id in chunk.ids]
    assert (ids, len(set(ids))) == (sorted(ids), 5)
    assert only_batch(source).ids != ids


def test_an_archive_without_vectors_leaves_them_to_the_embedder(tmp_path: Path) -> None:
    source = npz(tmp_path, ids=np.array(["a"]), contents=np.array(["words"]))
    assert only_batch(source, WITH_EMBEDDER).vectors.shape == (1, 0)


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"ids": np.array(["a"], dtype=object)}, "Python objects"),
        ({}, "no array"),
        ({"ids": np.array(["a"]), "embeddings": np.ones((1, 8))}, "unknown array 'embeddings'; known are ids"),
        ({"ids": np.array([1])}, "must hold texts"),
        ({"ids": np.array(["a", "b"]), "vectors": np.ones((1, 8))}, "has 1 rows where ids has 2"),
        ({"ids": np.array(["a"]), "vectors": np.ones(8)}, "must have 2 dimensions"),
        ({"ids": np.array(["a", "b"]), "vectors": np.asfortranarray(np.ones((2, 8)))}, "Fortran order"),
    ],
)
def test_a_bad_archive_says_what_is_wrong(tmp_path: Path, arrays: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        npz(tmp_path, **arrays)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    path.write_bytes(b"hello")
    with pytest.raises(InvalidInput, match="not a NumPy archive"):
        NpzSource(path)


# ---- Parquet --------------------------------------------------------------------------------------------------


def parquet_file(tmp_path: Path, **columns: Any) -> ParquetSource:
    path = tmp_path / "rows.parquet"
    parquet.write_table(arrow.table(columns), path)
    return ParquetSource(path)


@pytest.mark.parametrize(
    "kind", [arrow.list_(arrow.float32()), arrow.list_(arrow.float32(), 8), arrow.large_list(arrow.float64())]
)
def test_a_table_is_read_in_chunks(tmp_path: Path, kind: Any) -> None:
    vectors = (np.arange(5 * 8).reshape(5, 8) + 1).tolist()
    source = parquet_file(
        tmp_path,
        id=list("abcde"),
        text=list("12345"),
        embedding=arrow.array(vectors, type=kind),
        time=[datetime.datetime(1970, 1, 1, 0, 0, n) for n in range(5)],
        metadata=[{"n": n} for n in range(5)],
        tags=[["x"], [], None, ["y"], ["z"]],
        importance=[0.1, 0.2, 0.3, 0.4, 0.5],
    )
    batches = [screen(chunk, CONFIG).batch for chunk in source.chunks(2)]
    kept = [batch for batch in batches if batch is not None]
    assert [list(batch.ids) for batch in kept] == [["a", "b"], ["c", "d"], ["e"]]
    assert np.concatenate([batch.vectors for batch in kept]).tolist() == vectors
    assert kept[1].times_us.tolist() == [2_000_000, 3_000_000]
    assert kept[2].metadata == ['{"n":4}']
    assert kept[1].tags == [[], ["y"]]


def test_a_table_without_ids_gets_some(tmp_path: Path) -> None:
    ids = [id for chunk in parquet_file(tmp_path, embedding=[VECTOR] * 5).chunks(2) for id in chunk.ids]
    assert (ids, len(set(ids))) == (sorted(ids), 5)


def test_bad_rows_of_a_table_are_named_by_number(tmp_path: Path) -> None:
    vectors = [VECTOR, [0.0] * 8, VECTOR]
    screened = screen(one_chunk(parquet_file(tmp_path, id=["a", "b", "c"], embedding=vectors)), CONFIG)
    assert [row.number for row in screened.bad] == [2]
    assert screened.batch is not None
    assert list(screened.batch.ids) == ["a", "c"]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"vector": [VECTOR]}, "unknown column 'vector'; known are id"),
        ({"id": ["a"], "vector": [VECTOR]}, "unknown column 'vector'; known are id"),
    ],
)
def test_a_table_with_other_columns_is_refused(tmp_path: Path, columns: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        parquet_file(tmp_path, **columns)


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"id": ["a", "b"], "embedding": [VECTOR, [1.0]]}, "vectors of one length"),
        ({"id": ["a", "b"], "embedding": [VECTOR, None]}, "vectors of one length"),
        ({"id": ["a", None]}, "has empty values"),
    ],
)
def test_a_ragged_table_is_refused_when_it_is_read(tmp_path: Path, columns: dict[str, Any], part: str) -> None:
    source = parquet_file(tmp_path, **columns)
    with pytest.raises(InvalidInput, match=part):
        list(source.chunks(10))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"hello")
    with pytest.raises(InvalidInput, match="not a Parquet file"):
        ParquetSource(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'engram-stream\[parquet\]'"):
        ParquetSource(tmp_path / "rows.parquet")


# ---- all of them ----------------------------------------------------------------------------------------------


def test_the_ending_says_what_a_file_is(tmp_path: Path) -> None:
    source = jsonl(tmp_path, {"id": "a"})
    assert source.total > 0
    assert isinstance(open_source(tmp_path / "rows.jsonl", None), JsonlSource)
    (tmp_path / "rows.jsonl").rename(tmp_path / "rows.txt")
    assert isinstance(open_source(tmp_path / "rows.txt", "jsonl"), JsonlSource)
    with pytest.raises(InvalidInput, match=r"--format jsonl\|npz\|parquet"):
        open_source(tmp_path / "rows.txt", None)


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("a")
    first = fingerprint(path)
    assert fingerprint(path) == first
    path.write_text("b")
    second = fingerprint(path)
    path.write_text("bb")
    assert len({first, second, fingerprint(path)}) == 3


def test_a_part_of_a_batch_keeps_its_rows_together(tmp_path: Path) -> None:
    rows = [{"id": str(n), "embedding": [n + 1.0] * 8, "text": f"t{n}", "tags": [str(n)]} for n in range(4)]
    part = only_batch(jsonl(tmp_path, *rows)).rows(1, 3)
    assert (list(part.ids), list(part.contents), part.vectors[:, 0].tolist()) == (["1", "2"], ["t1", "t2"], [2.0, 3.0])
    assert part.tags is not None
    assert [list(row) for row in part.tags] == [["1"], ["2"]]
