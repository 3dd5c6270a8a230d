"""What Haystack's own suites do not try: arguments that mean nothing, spaces of other settings, stores of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from haystack import Document
from haystack.errors import FilterError

from engram.connection import AnyStore
from engram.errors import AlreadyExists, EngramError, FailedPrecondition, InvalidInput
from engram.integrations.haystack import EngramDocumentStore
from engram.model.limits import ID_BYTES_MAX

WRONG: Any = {"field": "meta.page", "operator": ">", "value": "soon"}


@pytest.fixture
def document_store(store: AnyStore, space_name: str) -> EngramDocumentStore:
    return EngramDocumentStore(store, space=space_name, dim=2)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda store: store.write_documents(Document(content="a")), "documents"),
        (lambda store: store.write_documents([Document(content="a"), None]), "documents[1]"),
        (lambda store: store.write_documents([Document(content="a")], "skip"), "policy"),
        (lambda store: store.write_documents([Document(content="a", meta={"_haystack": 1})]), "meta"),
        (lambda store: store.write_documents([Document(content="a", meta={"a": {1, 2}})]), "metadata[0]"),
        (lambda store: store.write_documents([Document(content="a", embedding=[1.0])]), "embedding"),
        (lambda store: store.write_documents([Document(content="a", id="i" * (ID_BYTES_MAX + 1))]), "id[0]"),
        (lambda store: store.delete_documents("a"), "document_ids"),
        (lambda store: store.delete_by_filter({}), "filter"),
        (lambda store: store.update_by_filter({}, None), "meta"),
        (lambda store: store.update_by_filter({}, {"_haystack": {}}), "meta"),
        (lambda store: store.count_unique_metadata_by_filter({}, "page"), "metadata_fields"),
        (lambda store: store.get_metadata_field_min_max(None), "metadata_field"),
        (lambda store: store.get_metadata_field_unique_values("page", search_term=1), "search_term"),
        (lambda store: store.get_metadata_field_unique_values("page", from_=-1), "from_"),
        (lambda store: store.embedding_retrieval([1.0]), "embedding"),
        (lambda store: store.embedding_retrieval(None), "cue"),
        (lambda store: store.embedding_retrieval([1.0, 0.0], top_k=0), "k"),
        (lambda store: store.keyword_retrieval(""), "text"),
        (lambda store: store.keyword_retrieval(None), "text"),
    ],
)
def test_what_means_nothing_is_refused_by_name(
    call: Callable[[Any], object], field: str, document_store: EngramDocumentStore
) -> None:
    with pytest.raises(InvalidInput) as refused:
        call(document_store)
    assert refused.value.field == field
    assert document_store.count_documents() == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.filter_documents(WRONG),
        lambda store: store.delete_by_filter(WRONG),
        lambda store: store.update_by_filter(WRONG, {}),
        lambda store: store.count_documents_by_filter(WRONG),
        lambda store: store.count_unique_metadata_by_filter(WRONG, ["page"]),
        lambda store: store.get_metadata_field_unique_values("page", filters=WRONG),
        lambda store: store.embedding_retrieval([1.0, 0.0], WRONG),
        lambda store: store.keyword_retrieval("a", WRONG),
    ],
)
def test_a_filter_that_is_none_is_an_error_of_haystack(
    call: Callable[[Any], object], document_store: EngramDocumentStore
) -> None:
    with pytest.raises(FilterError, match="soon") as refused:
        call(document_store)
    assert isinstance(refused.value.__cause__, EngramError)


def test_1_and_1_0_are_one_value(document_store: EngramDocumentStore) -> None:
    """Where Haystack's suite, of which that test is left out, has two."""
    values = [1, "1", 1.0, True, 1]
    documents = [Document(id=f"{row}", meta={"priority": value}) for row, value in enumerate(values)]
    document_store.write_documents(documents)
    found, count = document_store.get_metadata_field_unique_values("priority")
    assert count == 3
    assert [(type(value), value) for value in found] == [(int, 1), (str, "1"), (bool, True)]


def test_a_space_that_is_there_is_used_as_it_is(store: AnyStore, space_name: str) -> None:
    space = store.space(space_name, dim=3, metric="l2")
    space.observe("theirs", [1, 2, 3], "a heron", metadata={"page": 1}, tags=["seen"])
    document_store = EngramDocumentStore(store, space=space_name)
    theirs = Document(id="theirs", content="a heron", meta={"page": 1}, embedding=[1.0, 2.0, 3.0])
    assert document_store.filter_documents() == [theirs]
    with pytest.raises(EngramError, match=r"vector|embedder"):
        document_store.write_documents([Document(content="without an embedding")])
    others: list[dict[str, Any]] = [{"dim": 2}, {"metric": "cosine"}]
    for settings in others:
        with pytest.raises(AlreadyExists):
            EngramDocumentStore(store, space=space_name, **settings).count_documents()


@pytest.mark.parametrize("settings", [{"dim": 3, "metric": "l2", "ttl": 3600}, {"vectors": "none"}], ids=str)
def test_a_space_that_is_made_anew_has_the_settings_it_had(
    settings: dict[str, Any], store: AnyStore, space_name: str
) -> None:
    store.space(space_name, **settings).observe("theirs", [1, 2, 3] if "dim" in settings else None, "a heron")
    document_store = EngramDocumentStore(store, space=space_name)
    document_store.delete_all_documents(recreate_index=True)
    assert document_store.count_documents() == 0
    store.space(space_name, create=False, **{"vectors": "required", **settings})


@pytest.mark.parametrize(
    "written", [None, 5, {"blob": 5}, {"blob": {"data": "eA=="}}, {"sparse_embedding": {"indices": [1]}}], ids=str
)
def test_what_others_have_written_under_our_key_is_told(
    written: Any, store: AnyStore, document_store: EngramDocumentStore, space_name: str
) -> None:
    document_store.write_documents([Document(id="ours", content="a")])
    store.space(space_name).observe("theirs", None, "b", metadata={"_haystack": written})
    with pytest.raises(FailedPrecondition, match="'theirs'") as refused:
        document_store.filter_documents()
    assert refused.value.field == "meta"
