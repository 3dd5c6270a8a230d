"""The stores that LangChain's suites run on."""

from __future__ import annotations

from tests.suites.stores import space_name, store

__all__ = ["space_name", "store"]
