"""LangChain's own suites for document indexes, unmodified."""

from __future__ import annotations

import pytest
from langchain_core.indexing.base import DocumentIndex
from langchain_tests.integration_tests.indexer import AsyncDocumentIndexTestSuite, DocumentIndexerTestSuite

from engram.connection import AnyStore
from engram.integrations.langchain import EngramDocumentIndex


class TestDocumentIndex(DocumentIndexerTestSuite):
    @pytest.fixture
    def index(self, store: AnyStore, space_name: str) -> DocumentIndex:
        return EngramDocumentIndex(space=store.space(space_name, embedder="lexical"))


class TestAsyncDocumentIndex(AsyncDocumentIndexTestSuite):
    @pytest.fixture
    async def index(self, store: AnyStore, space_name: str) -> DocumentIndex:
        return EngramDocumentIndex(space=store.space(space_name, embedder="lexical"))
