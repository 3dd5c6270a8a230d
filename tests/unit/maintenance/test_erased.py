"""What is left of erased ids is found; a backup that is made afterwards has nothing of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engram.errors import InvalidInput, NotFound
from engram.maintenance.backups.backup import backup
from engram.maintenance.compact import compact
from engram.maintenance.verify import verify
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.store import MemoryStore, StoreOptions
from tests.doubles.batches import DIM, vector_of

IDS = ["ann", "ben", "cat"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with MemoryStore(tmp_path / "data") as store:
        for name in ("notes", "mail"):
            space = store.space(name, dim=DIM)
            for version in range(2):
                texts = [f"the secret of {id} {version};" for id in IDS]
                space.observe(IDS, [vector_of(id, version) for id in IDS], texts)
        store.space("notes").delete(["ben"])
    return tmp_path / "data"


def found(directory: Path, pattern: str) -> list[str]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [file.name for file in files if pattern.encode() in file.read_bytes()]


def test_everything_that_is_left_is_named(data: Path) -> None:
    verdict = verify(data, erased=["ben", "nobody"])
    assert verdict.is_sound
    assert [(trace.space, trace.generation, trace.id) for trace in verdict.traces] == [
        ("mail", 2, "ben"),
        ("mail", 5, "ben"),
        ("notes", 2, "ben"),
        ("notes", 5, "ben"),
        ("notes", 7, "ben"),
    ]
    assert verdict.traces[-1].message == "a deletion of 'ben' of generation 7 is in notes/log/000000000001.log"


def test_nothing_is_left_of_what_was_erased(data: Path) -> None:
    with MemoryStore(data) as store:
        assert store.space("notes").erase(["ben"]).count == 2
    verdict = verify(data, spaces=["notes"], erased=["ben"])
    assert (verdict.is_sound, verdict.traces) == (True, [])
    assert [trace.space for trace in verify(data, erased=["ben"]).traces] == ["mail", "mail"]


def test_an_erasure_that_is_not_finished_is_named(data: Path, tmp_path: Path) -> None:
    with MemoryStore(data, options=StoreOptions(mark_interval_s=3600.0)) as store:
        store.space("notes")._engine._erasure.note(["cat"], 6)
        # As a process that dies here leaves it.
        shutil.copytree(data, tmp_path / "left", ignore=shutil.ignore_patterns("LOCK"))
    traces = verify(tmp_path / "left", spaces=["notes"], erased=["cat"]).traces
    assert [(trace.file, trace.generation) for trace in traces[-1:]] == [("space.json", 0)]
    assert traces[-1].message == "an erasure that is not finished of 'cat' is in notes/space.json"


def test_a_receipt_is_compared_with_its_space_up_to_its_generation(data: Path) -> None:
    with MemoryStore(data) as store:
        space = store.space("notes")
        receipt = space.erase(["ben", "nobody"])
        later = int(space.observe("ben", vector_of("ben"), "written later"))
    verdict = verify(data, receipts=[receipt])
    assert (verdict.traces, verdict.receipts) == ([], {receipt: 0})
    other = replace(receipt, digests=receipt.digests[:1], generation=later)
    verdict = verify(data, receipts=[receipt, other], erased=["ben"], spaces=["notes"])
    assert verdict.receipts == {receipt: 0, other: 1}
    assert [(trace.id, trace.generation) for trace in verdict.traces] == [("ben", later)]


def test_a_receipt_of_no_space_is_refused(data: Path) -> None:
    with MemoryStore(data) as store:
        receipt = store.space("notes").erase(["ben"])
    for other, spaces in ((replace(receipt, space_id="0" * 32), ()), (receipt, ("mail",))):
        with pytest.raises(NotFound) as refused:
            verify(data, receipts=[other], spaces=spaces)
        assert refused.value.code == "unknown_space"


def test_an_erasure_that_is_not_finished_is_named_for_its_receipt(data: Path, tmp_path: Path) -> None:
    with MemoryStore(data, options=StoreOptions(mark_interval_s=3600.0)) as store:
        engine = store.space("notes")._engine
        digests = engine._erasure.note(["dan"], 6)
        # As a process that dies here leaves it.
        shutil.copytree(data, tmp_path / "left", ignore=shutil.ignore_patterns("LOCK"))
        receipt = ErasureReceipt("notes", engine.identity.space, digests, 6, 0, 0)
    traces = verify(tmp_path / "left", receipts=[receipt]).traces
    assert [(trace.file, trace.id) for trace in traces] == [("space.json", digests[0])]
    assert verify(tmp_path / "left", receipts=[replace(receipt, generation=5)]).traces == []


def test_a_backup_has_nothing_of_what_was_erased_before(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copy")
    assert found(tmp_path / "copy", "the secret of ann 0;")
    with MemoryStore(data) as store:
        for name in ("notes", "mail"):
            store.space(name).erase(["ann"])
    backup(data, tmp_path / "copy")
    for pattern in ("the secret of ann 0;", "the secret of ann 1;", "ann"):
        assert found(tmp_path / "copy", pattern) == []
    assert found(tmp_path / "copy", "the secret of cat 1;")


def test_what_a_repair_has_set_aside_is_named(data: Path) -> None:
    (data / "set-aside").mkdir()
    lines = ['{"id": "ben", "generation": 2, "embedding": []}', '{"id": "ann", "generation": 1}', "by hand: ben, cat"]
    (data / "set-aside" / "notes.jsonl").write_text("\n".join(lines), encoding="utf-8")
    traces = [trace for trace in verify(data, erased=["ben"]).traces if trace.file.startswith("set-aside")]
    assert [(trace.space, trace.file, trace.generation, trace.id) for trace in traces] == [
        ("notes", "set-aside/notes.jsonl", 2, "ben"),
        ("notes", "set-aside/notes.jsonl", 0, "ben"),
    ]
    assert traces[0].message == (
        "an observation that was set aside of 'ben' of generation 2 is in set-aside/notes.jsonl"
    )
    assert verify(data, spaces=["mail"], erased=["nobody"]).traces == []
    # It stays where it is, whatever the space is called by now.
    with MemoryStore(data) as store:
        store.rename("notes", "renamed")
    assert [trace for trace in verify(data, erased=["ben"]).traces if trace.file.startswith("set-aside")] == traces


@pytest.mark.parametrize("argument", ["erased", "spaces"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        # As a list of letters, it would say that nothing is left of an id that is there.
        ("ben", "not_a_list"),
        (b"ben", "not_a_list"),
        (None, "not_a_list"),
        (3, "not_a_list"),
        ({"ben": 1}, "not_a_list"),
        ([None], "invalid_text"),
        ([b"ben"], "invalid_text"),
        ([["ben"]], "invalid_text"),
        (["\ud800"], "invalid_text"),
    ],
)
def test_what_is_not_a_list_of_names_is_refused(data: Path, argument: str, value: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        verify(data, **{argument: value})
    assert (refused.value.code, refused.value.field.partition("[")[0]) == (code, argument)


def test_the_names_of_spaces_to_compact_are_a_list(data: Path) -> None:
    for value in ("notes", None, [3]):
        with pytest.raises(InvalidInput, match="spaces"):
            compact(data, spaces=value)  # type: ignore[arg-type]
    assert [space.name for space in compact(data, spaces=("notes",)).spaces] == ["notes"]


def test_nothing_is_looked_for_under_an_empty_id(data: Path) -> None:
    with MemoryStore(data) as store:
        store.space("notes").erase(["ben"])
    with pytest.raises(InvalidInput, match=r"erased\[1\] is empty"):
        verify(data, erased=["ben", ""])


def test_receipts_are_a_list_of_receipts(data: Path) -> None:
    with MemoryStore(data) as store:
        receipt = store.space("notes").erase(["ben"])
    wrong: list[tuple[Any, str]] = [
        (receipt, "pass a list"),
        ("receipt", "pass a list"),
        ([None], r"receipts\[0\] is None"),
    ]
    for value, message in wrong:
        with pytest.raises(InvalidInput, match=message):
            verify(data, receipts=value)
    assert verify(data, spaces=["notes"], receipts=iter([receipt])).traces == []  # type: ignore[arg-type]
