"""`EngramDocumentIndex`: LangChain's document index on a space that embeds texts itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.indexing import UpsertResponse
from langchain_core.indexing.base import DeleteResponse, DocumentIndex

from engram.integrations.langchain.documents import delete_documents, get_documents, observe_documents
from engram.integrations.langchain.retriever import EngramRetriever


class EngramDocumentIndex(EngramRetriever, DocumentIndex):
    """A document index that is also a retriever; its arguments are those of `EngramRetriever`.

    The space must have an embedder, such as the built-in ``"lexical"``, since documents come without vectors.
    """

    def upsert(self, items: Sequence[Document], /, **kwargs: Any) -> UpsertResponse:
        """Store documents, durable on return; one without an id gets one, and one with a known id replaces it."""
        return UpsertResponse(succeeded=observe_documents(self.space, items), failed=[])

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> DeleteResponse:
        """Delete documents by id, durable on return. Succeeded are those that were there.

        Raises
        ------
        ValueError
            If `ids` is None.
        """
        if ids is None:
            raise ValueError("ids is None; pass the ids of the documents to delete")
        known = [document.id for document in get_documents(self.space, dict.fromkeys(ids)) if document.id is not None]
        deleted = delete_documents(self.space, known)
        return DeleteResponse(succeeded=known, failed=[], num_deleted=deleted, num_failed=0)

    def get(self, ids: Sequence[str], /, **kwargs: Any) -> list[Document]:
        """Return the documents that are there, in the order of `ids`."""
        return get_documents(self.space, ids)
