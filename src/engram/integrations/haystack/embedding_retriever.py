"""`EngramEmbeddingRetriever`: a component of Haystack that finds documents by an embedding."""

# Without postponed annotations: Haystack reads the types of what `run` takes.
from typing import Any

from haystack import Document, component

from engram.integrations.haystack.store_retriever import StoreRetriever


@component
class EngramEmbeddingRetriever(StoreRetriever):
    """A component that finds the documents nearest to an embedding; its arguments are those of `StoreRetriever`.

    Documents without an embedding are not found.

    Examples
    --------
    >>> retriever = EngramEmbeddingRetriever(EngramDocumentStore("memories"), top_k=3)     # doctest: +SKIP
    >>> retriever.run(query_embedding)["documents"]                                        # doctest: +SKIP
    """

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the ``"documents"`` nearest to an embedding, the nearest first, with scores.

        Parameters
        ----------
        query_embedding
            The embedding, of the dimension of the space.
        filters
            A filter of Haystack; what it does to that of the retriever, its policy says.
        top_k
            How many documents; None: as many as the retriever was made for.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the embedding does not fit the space, or `top_k` is less than 1.
        """
        return {"documents": self.document_store.embedding_retrieval(query_embedding, **self._asked(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the ``"documents"`` nearest to an embedding. See `run`."""
        asked = self._asked(filters, top_k)
        return {"documents": await self.document_store.embedding_retrieval_async(query_embedding, **asked)}
