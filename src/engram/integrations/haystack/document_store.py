"""`EngramDocumentStore`: the document store of Haystack on a space of Engram."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy

from engram.client.transport_choice import OPENERS
from engram.connection.remote_store import RemoteStore
from engram.errors import InvalidInput
from engram.integrations.haystack.blocking_document_store import TOP_K, BlockingDocumentStore, Filters


class EngramDocumentStore(BlockingDocumentStore):
    """A document store whose documents are durable and can be found as soon as `write_documents` returns.

    The documents are observations of one space: their ids, contents, embeddings and metas are the ids, texts, vectors
    and metadata of the observations, so every other door of Engram sees them. Embeddings are kept in single precision.
    Blobs and sparse embeddings are stored, and not searched by; the score of a document is not stored.

    The space is made with the first use, if it is not there, for documents with and without an embedding; an existing
    one is used as it is. Each method that waits has one for coroutines, which runs on a thread.

    Parameters
    ----------
    target
        A store of `engram.connect`, which stays the caller's to close; or what `engram.connect` takes, such as the path
        of a directory or the address of a server: then `close` closes it. Default: a store in memory.
    space
        Name of the space, which matches ``[a-z0-9_-]{3,64}``.
    dim, metric
        Settings of the space: the length of the embeddings, and ``"cosine"``, ``"ip"`` or ``"l2"``. None: those of an
        existing space; for a new one, 768 and ``"cosine"``.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target, and what the methods of a space raise.

    Examples
    --------
    >>> from haystack import Document                                           # doctest: +SKIP
    >>> store = EngramDocumentStore("memories", dim=384)                        # doctest: +SKIP
    >>> store.write_documents([Document(content="the pump leaks")])             # doctest: +SKIP
    1
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the store as a dictionary, from which `from_dict` makes one of the same documents.

        Raises
        ------
        InvalidInput
            If the caller's store is in memory, where nobody else finds it.
        """
        parameters = {"space": self._name, "dim": self._dim, "metric": self._metric}
        made: dict[str, Any] = default_to_dict(self, target=self._place(), **parameters)
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EngramDocumentStore:
        """Return the store that `to_dict` has described; it opens what it names."""
        made: EngramDocumentStore = default_from_dict(cls, data)
        return made

    async def count_documents_async(self) -> int:
        """Return how many documents there are."""
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: Filters | None = None) -> list[Document]:
        """Return the documents that pass a filter. See `filter_documents`."""
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Store documents, and return how many were stored. See `write_documents`."""
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Delete documents by id. See `delete_documents`."""
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_all_documents_async(self, recreate_index: bool = False) -> None:
        """Delete all documents. See `delete_all_documents`."""
        await asyncio.to_thread(self.delete_all_documents, recreate_index)

    async def delete_by_filter_async(self, filters: Filters) -> int:
        """Delete the documents that pass a filter, and return how many these were. See `delete_by_filter`."""
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: Filters, meta: dict[str, Any]) -> int:
        """Change the meta of the documents that pass a filter. See `update_by_filter`."""
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def count_documents_by_filter_async(self, filters: Filters) -> int:
        """Return how many documents pass a filter. See `count_documents_by_filter`."""
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def count_unique_metadata_by_filter_async(
        self, filters: Filters, metadata_fields: list[str]
    ) -> dict[str, int]:
        """Return how many different values some keys of the meta have. See `count_unique_metadata_by_filter`."""
        return await asyncio.to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """Return the type of each key of the meta. See `get_metadata_fields_info`."""
        return await asyncio.to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """Return the least and the greatest value of a key of the meta. See `get_metadata_field_min_max`."""
        return await asyncio.to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """Return some of the values of a key of the meta. See `get_metadata_field_unique_values`."""
        find = self.get_metadata_field_unique_values
        return await asyncio.to_thread(find, metadata_field, search_term, from_, size, filters)

    async def embedding_retrieval_async(
        self,
        query_embedding: Sequence[float],
        filters: Filters | None = None,
        top_k: int = TOP_K,
        *,
        return_embedding: bool = False,
    ) -> list[Document]:
        """Return the documents nearest to an embedding. See `embedding_retrieval`."""
        find = self.embedding_retrieval
        return await asyncio.to_thread(find, query_embedding, filters, top_k, return_embedding=return_embedding)

    async def keyword_retrieval_async(
        self, query: str, filters: Filters | None = None, top_k: int = TOP_K, *, return_embedding: bool = False
    ) -> list[Document]:
        """Return the documents that match the words of a text best. See `keyword_retrieval`."""
        find = self.keyword_retrieval
        return await asyncio.to_thread(find, query, filters, top_k, return_embedding=return_embedding)

    def _place(self) -> str | None:
        """Return where the store is, as a text; None for one in memory that was made for this."""
        if self._target is None:
            return None
        if isinstance(self._target, str | os.PathLike):
            return os.fspath(self._target)
        store = self._store
        if isinstance(store, RemoteStore):
            # The address of a server over gRPC is told without its scheme.
            has_scheme = store.address.partition("://")[0].lower() in OPENERS
            return store.address if has_scheme else f"grpc://{store.address}"
        if store.path is not None:
            return str(store.path)
        raise InvalidInput(
            "the store is in memory, where nobody else finds it; make the document store of a path or an address",
            field="target",
            limit="a path or an address",
            value="a store in memory",
        )
