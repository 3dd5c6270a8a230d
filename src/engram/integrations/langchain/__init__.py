"""LangChain on Engram: a vector store, a retriever and a document index. Needs ``engram-stream[langchain]``."""

from engram.integrations.extras import importing

with importing("LangChain", package="langchain_core", distribution="langchain-core", extra="langchain"):
    from engram.integrations.langchain.document_index import EngramDocumentIndex
    from engram.integrations.langchain.retriever import EngramRetriever
    from engram.integrations.langchain.vector_store import EngramVectorStore

__all__ = ["EngramDocumentIndex", "EngramRetriever", "EngramVectorStore"]
