"""Whatever a document has comes back as it was, and becomes what the policy says if its id is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from engram.connection import AnyStore
from engram.integrations.haystack import EngramDocumentStore
from engram.model.limits import ID_BYTES_MAX
from tests.suites.haystack.single_precision import in_single_precision

DOCUMENTS = [
    Document(id="text", content="the pump leaks"),
    Document(id="empty text", content="", meta={"page": 1}),
    Document(id="no text", content=None, meta={"none": None, "list": [1, "a", None], "object": {"deep": {"er": 1.5}}}),
    Document(id="embedding", content="a", embedding=[0.1, 0.2, 0.3]),
    Document(id="only an embedding", embedding=[1.0, 0.0, -0.5], meta={"": "", "a.b": True}),
    Document(id="blob", blob=ByteStream(b"\x00\xff" * 100, meta={"from": "a file"}, mime_type="image/png")),
    Document(id="bare blob", content="b", blob=ByteStream(b"")),
    Document(id="sparse", sparse_embedding=SparseEmbedding(indices=[3, 70_000], values=[0.1, -2.5]), meta={"page": 2}),
    Document(id="木 🙂", content="z\n"),
    Document(id="i" * ID_BYTES_MAX, content="a long id"),
]


@pytest.fixture
def document_store(store: AnyStore, space_name: str) -> EngramDocumentStore:
    return EngramDocumentStore(store, space=space_name, dim=3)


def contents(document_store: EngramDocumentStore) -> dict[str, Any]:
    return {document.id: document.content for document in document_store.filter_documents()}


def test_documents_come_back_as_they_were(document_store: EngramDocumentStore) -> None:
    assert document_store.write_documents(DOCUMENTS) == len(DOCUMENTS)
    assert document_store.filter_documents() == [in_single_precision(document) for document in DOCUMENTS]
    for document in DOCUMENTS:
        only = {"field": "id", "operator": "==", "value": document.id}
        assert document_store.filter_documents(only) == [in_single_precision(document)]
    assert document_store.get_metadata_fields_info().keys() == {"", "a.b", "list", "object", "page"}


def test_the_score_of_a_document_is_not_stored(document_store: EngramDocumentStore) -> None:
    document_store.write_documents([Document(id="a", content="a", score=0.5)])
    assert [document.score for document in document_store.filter_documents()] == [None]


def test_a_document_that_is_written_again_leaves_nothing_behind(document_store: EngramDocumentStore) -> None:
    whole = Document(id="a", content="a", embedding=[1.0, 0.0, 0.0], blob=ByteStream(b"x"), meta={"page": 1})
    document_store.write_documents([whole])
    bare = Document(id="a", meta={"name": "heron"})
    document_store.write_documents([bare], DuplicatePolicy.OVERWRITE)
    assert document_store.filter_documents() == [bare]
    assert document_store.embedding_retrieval([1.0, 0.0, 0.0]) == []


@pytest.mark.parametrize("policy", [DuplicatePolicy.FAIL, DuplicatePolicy.NONE])
def test_nothing_is_stored_if_one_id_is_known_or_occurs_twice(
    policy: DuplicatePolicy, document_store: EngramDocumentStore
) -> None:
    document_store.write_documents([Document(id="b", content="old")], policy)
    for ids in ("abc", "acc"):
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([Document(id=id, content="new") for id in ids], policy)
    assert contents(document_store) == {"b": "old"}


def test_known_documents_are_passed_over(document_store: EngramDocumentStore) -> None:
    document_store.write_documents([Document(id="b", content="old")])
    new = [Document(id=id, content=f"new {row}") for row, id in enumerate("abcca")]
    assert document_store.write_documents(new, DuplicatePolicy.SKIP) == 2
    assert contents(document_store) == {"b": "old", "a": "new 0", "c": "new 2"}
    assert document_store.write_documents(new, DuplicatePolicy.SKIP) == 0


def test_the_last_of_several_with_one_id_takes_its_place(document_store: EngramDocumentStore) -> None:
    new = [Document(id=id, content=f"new {row}") for row, id in enumerate("aba")]
    assert document_store.write_documents(new, DuplicatePolicy.OVERWRITE) == 3
    assert contents(document_store) == {"b": "new 1", "a": "new 2"}


def test_what_others_store_meanwhile_is_passed_over(
    document_store: EngramDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = document_store._space
    get = space.get

    def overtaken(ids: list[str]) -> Any:
        found = get(ids)
        monkeypatch.undo()
        space.observe("b", None, "theirs")
        return found

    monkeypatch.setattr(space, "get", overtaken)
    new = [Document(id=id, content="ours") for id in "abc"]
    assert document_store.write_documents(new, DuplicatePolicy.SKIP) == 2
    assert contents(document_store) == {"b": "theirs", "a": "ours", "c": "ours"}


def test_changes_of_the_meta_merge_and_keep_everything_else(document_store: EngramDocumentStore) -> None:
    document_store.write_documents(DOCUMENTS)
    pages = {"field": "meta.page", "operator": "!=", "value": None}
    assert document_store.update_by_filter(pages, {"page": None, "seen": True}) == 2
    by_id = {document.id: document for document in document_store.filter_documents()}
    for document in DOCUMENTS:
        kept = in_single_precision(document)
        if "page" in document.meta:
            kept = dataclasses.replace(kept, meta={"seen": True})
        assert by_id[document.id] == kept


def test_many_documents_are_written_changed_and_deleted(document_store: EngramDocumentStore) -> None:
    many = [Document(id=f"note-{number}", content="x" * 1000, meta={"half": number % 2}) for number in range(10_001)]
    assert document_store.write_documents(many) == 10_001
    everything = {"field": "meta.half", "operator": "in", "value": [0, 1]}
    assert document_store.update_by_filter(everything, {"seen": True}) == 10_001
    assert document_store.count_documents_by_filter({"field": "meta.seen", "operator": "==", "value": True}) == 10_001
    document_store.delete_documents([document.id for document in many[1:]] + ["unknown"])
    assert contents(document_store) == {"note-0": "x" * 1000}
