"""Haystack on Engram: a document store and its retrievers. Needs ``engram-stream[haystack]``.

Names are loaded on first use, since what reads filters needs nothing of Haystack.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from engram.integrations.extras import importing

if TYPE_CHECKING:
    from engram.integrations.haystack.document_store import EngramDocumentStore
    from engram.integrations.haystack.embedding_retriever import EngramEmbeddingRetriever
    from engram.integrations.haystack.keyword_retriever import EngramKeywordRetriever

__all__ = ["EngramDocumentStore", "EngramEmbeddingRetriever", "EngramKeywordRetriever"]

_HOMES: Final = {
    "EngramDocumentStore": "engram.integrations.haystack.document_store",
    "EngramEmbeddingRetriever": "engram.integrations.haystack.embedding_retriever",
    "EngramKeywordRetriever": "engram.integrations.haystack.keyword_retriever",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with importing("Haystack", package="haystack", distribution="haystack-ai", extra="haystack"):
        module = importlib.import_module(_HOMES[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value
