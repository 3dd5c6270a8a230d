"""`EngramKeywordRetriever`: a component of Haystack that finds documents by their words."""

# Without postponed annotations: Haystack reads the types of what `run` takes.
from typing import Any

from haystack import Document, component

from engram.integrations.haystack.store_retriever import StoreRetriever


@component
class EngramKeywordRetriever(StoreRetriever):
    """A component that finds documents by the words of a text; its arguments are those of `StoreRetriever`.

    The documents need no embedding. They are ranked by BM25, with English word endings.

    Examples
    --------
    >>> retriever = EngramKeywordRetriever(EngramDocumentStore("memories"), top_k=3)       # doctest: +SKIP
    >>> retriever.run("the pump leaks")["documents"]                                       # doctest: +SKIP
    """

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the ``"documents"`` that match the words of a text best, the best first, with scores.

        Parameters
        ----------
        query
            The text.
        filters
            A filter of Haystack; what it does to that of the retriever, its policy says.
        top_k
            How many documents; None: as many as the retriever was made for.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the text is empty, or `top_k` is less than 1.
        """
        return {"documents": self.document_store.keyword_retrieval(query, **self._asked(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the ``"documents"`` that match the words of a text best. See `run`."""
        return {"documents": await self.document_store.keyword_retrieval_async(query, **self._asked(filters, top_k))}
