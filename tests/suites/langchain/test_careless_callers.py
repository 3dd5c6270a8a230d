"""What LangChain's own suites do not try: lists that do not belong together, conditions as filters, and many ids."""

from __future__ import annotations

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from engram.connection import AnyStore
from engram.errors import InvalidInput
from engram.integrations.langchain import EngramVectorStore


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
