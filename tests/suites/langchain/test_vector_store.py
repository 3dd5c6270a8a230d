"""LangChain's own suite for vector stores, unmodified."""

from __future__ import annotations

import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from engram.connection import AnyStore
from engram.integrations.langchain import EngramVectorStore


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, store: AnyStore, space_name: str) -> VectorStore:
        return EngramVectorStore(self.get_embeddings(), store, space=space_name)
