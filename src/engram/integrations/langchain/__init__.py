"""LangChain on Engram: a vector store, a retriever, a document index, a key-value store and a cache.

Needs ``engram-stream[langchain]``.
"""

from engram.errors import MissingExtra

try:
    from engram.integrations.langchain.byte_store import EngramByteStore
    from engram.integrations.langchain.cache import EngramCache
    from engram.integrations.langchain.document_index import EngramDocumentIndex
    from engram.integrations.langchain.retriever import EngramRetriever
    from engram.integrations.langchain.vector_store import EngramVectorStore
except ImportError as error:
    if (error.name or "").partition(".")[0] != "langchain_core":
        raise
    raise MissingExtra(
        "LangChain on Engram needs the package langchain-core; install it with: pip install 'engram-stream[langchain]'",
        field="extra",
        limit="langchain",
        value="langchain-core",
    ) from error

__all__ = ["EngramByteStore", "EngramCache", "EngramDocumentIndex", "EngramRetriever", "EngramVectorStore"]
