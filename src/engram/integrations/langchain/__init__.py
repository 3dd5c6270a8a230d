"""LangChain on Engram: a vector store, a retriever, a document index, a key-value store and a cache.

Needs ``engram-stream[langchain]``.
"""

from engram.integrations.extras import importing

with importing("LangChain", package="langchain_core", distribution="langchain-core", extra="langchain"):
    from engram.integrations.langchain.byte_store import EngramByteStore
    from engram.integrations.langchain.cache import EngramCache
    from engram.integrations.langchain.document_index import EngramDocumentIndex
    from engram.integrations.langchain.retriever import EngramRetriever
    from engram.integrations.langchain.vector_store import EngramVectorStore

__all__ = ["EngramByteStore", "EngramCache", "EngramDocumentIndex", "EngramRetriever", "EngramVectorStore"]
