"""LangChain's own suite for retrievers, unmodified."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from engram.connection import AnySpace, AnyStore
from engram.integrations.langchain import EngramDocumentIndex, EngramRetriever


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def filled(self, store: AnyStore, space_name: str) -> None:
        self.space: AnySpace = store.space(space_name, embedder="lexical")
        self.space.observe(["one", "two", "three", "four"], contents=["a heron", "a boat", "a pump", "a mast"])

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return EngramRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"space": self.space}

    @property
    def retriever_query_example(self) -> str:
        return "a heron at the pump"


class TestIndexAsRetriever(TestRetriever):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return EngramDocumentIndex
