"""What LangChain's own suites do not try: lists that do not belong together, conditions as filters, and many ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from engram import F, Filter
from engram.connection import AnyStore
from engram.errors import InvalidInput
from engram.integrations.langchain import EngramDocumentIndex, EngramVectorStore


@pytest.fixture
def vector_store(store: AnyStore, space_name: str) -> EngramVectorStore:
    return EngramVectorStore(DeterministicFakeEmbedding(size=8), store, space=space_name)


def test_a_text_without_its_metadata_is_not_left_out(vector_store: EngramVectorStore) -> None:
    for count in (1, 4):
        with pytest.raises(InvalidInput) as refused:
            vector_store.add_texts(["a", "b", "c"], metadatas=[{}] * count, ids=["1", "2", "3"][:count])
        assert (refused.value.field, refused.value.limit, refused.value.value) == ("metadatas", "3", f"{count}")
    assert vector_store.get_by_ids(["1", "2", "3"]) == []
    texts = iter(["a", "b", "c"])
    vector_store.add_texts(texts, metadatas=[{"n": 1}, {"n": 2}, {"n": 3}], ids=["1", "2", "3"])
    found = vector_store.get_by_ids(["1", "2", "3"])
    assert [(each.page_content, each.metadata) for each in found] == [("a", {"n": 1}), ("b", {"n": 2}), ("c", {"n": 3})]


@pytest.mark.parametrize(
    "filter", [F.deck == 2, {"deck": 2}, Filter(metadata={"deck": 2})], ids=["a condition", "a dict", "a Filter"]
)
def test_a_filter_is_whatever_a_space_takes(filter: Any, vector_store: EngramVectorStore) -> None:
    vector_store.add_texts(["a", "b"], metadatas=[{"deck": 1}, {"deck": 2}], ids=["1", "2"])
    assert [each.id for each in vector_store.similarity_search("a", filter=filter)] == ["2"]
    assert [each.id for each in vector_store.max_marginal_relevance_search("a", filter=filter)] == ["2"]
    assert [each.id for each in vector_store.as_retriever(search_kwargs={"filter": filter}).invoke("a")] == ["2"]
    assert len(vector_store.similarity_search("a", filter={})) == 2


def test_more_documents_are_deleted_than_one_call_takes(store: AnyStore, space_name: str) -> None:
    space = store.space(space_name, dim=1)
    ids = [f"note-{number}" for number in range(10_001)]
    for half in (ids[:6000], ids[6000:]):
        space.observe(half, np.ones((len(half), 1)))
    index = EngramDocumentIndex(space=space)
    assert [document.id for document in index.get(["unknown", *ids[:2]])] == ids[:2]
    done = index.delete(["unknown", *ids, ids[0]])
    assert (done["succeeded"], done["num_deleted"]) == (ids, 10_001)
    assert index.get(ids) == []
