"""LangChain's own suites for caches, unmodified."""

from __future__ import annotations

import pytest
from langchain_core.caches import BaseCache
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite

from engram.connection import AnyStore, AsyncAnyStore
from engram.integrations.langchain import EngramCache


class TestCache(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, store: AnyStore, space_name: str) -> BaseCache:
        return EngramCache(store, space=space_name)


class TestAsyncCache(AsyncCacheTestSuite):
    @pytest.fixture
    async def cache(self, async_store: AsyncAnyStore, space_name: str) -> BaseCache:
        return EngramCache(async_store, space=space_name)
