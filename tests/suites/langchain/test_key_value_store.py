"""LangChain's own suites for key-value stores, unmodified."""

from __future__ import annotations

import pytest
from langchain_core.stores import ByteStore
from langchain_tests.integration_tests import BaseStoreAsyncTests, BaseStoreSyncTests

from engram.connection import AnyStore, AsyncAnyStore
from engram.integrations.langchain import EngramByteStore

VALUES = (b"The pump leaks.", bytes(range(256)), b"")


class TestKeyValueStore(BaseStoreSyncTests):
    @pytest.fixture
    def kv_store(self, store: AnyStore, space_name: str) -> ByteStore:
        return EngramByteStore(store, space=space_name)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return VALUES


class TestAsyncKeyValueStore(BaseStoreAsyncTests):
    @pytest.fixture
    async def kv_store(self, async_store: AsyncAnyStore, space_name: str) -> ByteStore:
        return EngramByteStore(async_store, space=space_name)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return VALUES
