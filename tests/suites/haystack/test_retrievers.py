"""The retrievers find what the document store has, within a pipeline and without one, and can be written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.core.errors import DeserializationError
from haystack.document_stores.types import FilterPolicy

import engram
from engram.connection import AnyStore
from engram.errors import InvalidInput
from engram.integrations.haystack import EngramDocumentStore, EngramEmbeddingRetriever, EngramKeywordRetriever
from engram.integrations.haystack.store_retriever import StoreRetriever

DOCUMENTS = [
    Document(id="heron", content="a heron stands in the water", embedding=[1.0, 0.0], meta={"page": 1}),
    Document(id="pump", content="the pump leaks", embedding=[0.6, 0.8], meta={"page": 2}),
    Document(id="mast", content="the mast creaks, says the pump", embedding=[0.0, 1.0], meta={"page": 3}),
    Document(id="bare", content="a pump without an embedding", meta={"page": 4}),
]
FIRST, LATER = ({"field": "meta.page", "operator": operator, "value": 2} for operator in ("<=", ">="))


def ids(found: dict[str, Any]) -> list[str]:
    return [document.id for document in found["documents"]]


@pytest.fixture
def document_store(store: AnyStore, space_name: str) -> EngramDocumentStore:
    document_store = EngramDocumentStore(store, space=space_name, dim=2)
    document_store.write_documents(DOCUMENTS)
    return document_store


async def test_the_nearest_come_first_with_their_scores(document_store: EngramDocumentStore) -> None:
    retriever = EngramEmbeddingRetriever(document_store, top_k=2)
    found = retriever.run([1.0, 0.0])
    assert ids(found) == ["heron", "pump"]
    assert [document.score for document in found["documents"]] == pytest.approx([1.0, 0.6])
    assert [document.embedding for document in found["documents"]] == [None, None]
    assert ids(retriever.run([1.0, 0.0], top_k=10)) == ["heron", "pump", "mast"]
    assert await retriever.run_async([1.0, 0.0]) == found
    whole = EngramEmbeddingRetriever(document_store, return_embedding=True).run([0.0, 1.0], top_k=1)
    assert [document.embedding for document in whole["documents"]] == [[0.0, 1.0]]


async def test_words_find_documents_without_an_embedding(document_store: EngramDocumentStore) -> None:
    retriever = EngramKeywordRetriever(document_store, top_k=5)
    found = retriever.run("pumps")
    assert set(ids(found)) == {"pump", "mast", "bare"}
    scores = [document.score for document in found["documents"]]
    assert scores == sorted(scores, reverse=True)
    assert await retriever.run_async("pumps") == found
    assert ids(retriever.run("herons", top_k=1)) == ["heron"]
    assert ids(retriever.run("owls")) == []


@pytest.mark.parametrize("kind", [EngramEmbeddingRetriever, EngramKeywordRetriever])
def test_filters_of_a_call_replace_or_join_those_of_the_retriever(
    kind: type[StoreRetriever], document_store: EngramDocumentStore
) -> None:
    asked: Any = [1.0, 0.0] if kind is EngramEmbeddingRetriever else "pump heron mast"
    both = {"operator": "AND", "conditions": [LATER]}
    found = {}
    for policy in ("replace", FilterPolicy.MERGE):
        retriever: Any = kind(document_store, filters={"operator": "AND", "conditions": [FIRST]}, filter_policy=policy)
        assert set(ids(retriever.run(asked))) == {"heron", "pump"}
        found[str(policy)] = set(ids(retriever.run(asked, filters=both))) - {"bare"}
    assert found == {"replace": {"pump", "mast"}, "merge": {"pump"}}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"return_embedding": 1}, "return_embedding"),
        ({"filter_policy": "join"}, "FilterPolicy"),
        ({"document_store": "memories"}, "document_store"),
    ],
)
def test_a_retriever_that_cannot_be_is_refused(
    wrong: dict[str, Any], named: str, document_store: EngramDocumentStore
) -> None:
    given = {"document_store": document_store, **wrong}
    for kind in (EngramEmbeddingRetriever, EngramKeywordRetriever):
        with pytest.raises(ValueError, match=named):
            kind(**given)


def test_a_pipeline_runs_what_was_written_down(tmp_path: Path) -> None:
    document_store = EngramDocumentStore(tmp_path / "memories", space="notes", dim=2, metric="ip")
    document_store.write_documents(DOCUMENTS)
    pipeline = Pipeline()
    pipeline.add_component("near", EngramEmbeddingRetriever(document_store, filters=LATER, top_k=1))
    pipeline.add_component("words", EngramKeywordRetriever(document_store, filter_policy="merge"))
    text = pipeline.dumps()
    with pytest.raises(DeserializationError):
        Pipeline.loads(text)
    again = Pipeline.loads(text, allowed_modules=["engram.integrations.haystack"])
    assert again.dumps() == text
    for each in (pipeline, again):
        found = each.run({"near": {"query_embedding": [0.0, 1.0]}, "words": {"query": "heron"}})
        assert (ids(found["near"]), ids(found["words"])) == (["mast"], ["heron"])
        for name in ("near", "words"):
            each.get_component(name).document_store.close()


def test_a_store_is_written_down_by_where_it_is(tmp_path: Path, store: AnyStore, space_name: str) -> None:
    kind = "engram.integrations.haystack.document_store.EngramDocumentStore"
    of_path = EngramDocumentStore(f"{tmp_path}/memories", dim=2)
    settings = {"space": "haystack", "dim": 2, "metric": None}
    assert of_path.to_dict() == {"type": kind, "init_parameters": {"target": f"{tmp_path}/memories", **settings}}
    with engram.connect(tmp_path / "memories") as opened:
        assert EngramDocumentStore(opened, dim=2).to_dict() == of_path.to_dict()
    of_path.close()
    with EngramDocumentStore() as in_memory:
        assert in_memory.to_dict()["init_parameters"]["target"] is None
    ours = EngramDocumentStore(store, space=space_name)
    ours.write_documents([Document(id="a", content="a")])
    if isinstance(store, engram.MemoryStore):
        with pytest.raises(InvalidInput) as refused:
            ours.to_dict()
        assert refused.value.field == "target"
        return
    assert ours.to_dict()["init_parameters"]["target"].startswith("grpc://")
    with EngramDocumentStore.from_dict(ours.to_dict()) as again:
        assert again.count_documents() == 1
