"""The stores that LangChain's suites run on."""

from __future__ import annotations

from tests.suites.stores import address, async_store, space_name, store

__all__ = ["address", "async_store", "space_name", "store"]
