"""`EngramVectorStore`: LangChain's vector store on a space of Engram."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, Self

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from engram.connection import AnySpace
from engram.errors import InvalidInput, NotFound
from engram.integrations.langchain.documents import as_document, delete_documents, get_documents, observe_documents
from engram.integrations.store_adapter import StoreAdapter, Target
from engram.model.cue import Cue
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hits
from engram.model.spaces import Metric

SPACE = "langchain"


class EngramVectorStore(StoreAdapter, VectorStore):
    """A vector store whose documents are durable and can be found as soon as `add_documents` returns.

    The documents are observations of one space: their ids, page contents and metadata are those of the observations,
    so every other door of Engram sees them. The space is created by the first document, with the dimension of its
    vector.

    Parameters
    ----------
    embedding
        What makes vectors of texts.
    target
        A store of `engram.connect`, which stays the caller's to close; or what `engram.connect` takes, such as the path
        of a directory or the address of a server: then `close` closes it. Default: a store in memory.
    space
        Name of the space, which matches ``[a-z0-9_-]{3,64}``.
    metric
        Metric of the space: ``"cosine"``, ``"ip"`` or ``"l2"``.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target, and what the methods of a space raise.

    Examples
    --------
    >>> from langchain_core.embeddings import DeterministicFakeEmbedding        # doctest: +SKIP
    >>> store = EngramVectorStore(DeterministicFakeEmbedding(size=64))          # doctest: +SKIP
    >>> store.add_texts(["the pump leaks"], ids=["note-1"])                     # doctest: +SKIP
    ['note-1']
    """

    def __init__(
        self, embedding: Embeddings, target: Target = None, *, space: str = SPACE, metric: Metric = "cosine"
    ) -> None:
        super().__init__(target, space)
        self._embedding = embedding
        self._metric: Metric = metric
        self._space: AnySpace | None = None

    @property
    def embeddings(self) -> Embeddings:
        """What makes vectors of texts."""
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed texts and store them, durable on return, and return their ids; one without an id gets one.

        Raises
        ------
        InvalidInput
            If there is not one id, or not one dictionary of metadata, for each text.
        """
        listed = list(texts)
        if metadatas and len(metadatas) != len(listed):
            raise InvalidInput(
                f"there are metadata for {len(metadatas)} of {len(listed)} texts; pass a dictionary each",
                field="metadatas",
                limit=len(listed),
                value=len(metadatas),
            )
        rows = zip(listed, metadatas or repeat({}), strict=False)
        return self.add_documents([Document(page_content=text, metadata=known) for text, known in rows], ids=ids)

    def add_documents(
        self, documents: list[Document], *, ids: Sequence[str | None] | None = None, **kwargs: Any
    ) -> list[str]:
        """Embed documents and store them, durable on return, and return their ids; one without an id gets one.

        `ids` are used instead of the documents' own.

        Raises
        ------
        InvalidInput
            If there is not one id for each document.
        """
        if not documents:
            return []
        vectors = self._embedding.embed_documents([document.page_content for document in documents])
        space = self._store.space(self._name, dim=len(vectors[0]), metric=self._metric)
        return observe_documents(space, documents, vectors, ids)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by id, durable on return; unknown ids are ignored.

        Raises
        ------
        ValueError
            If `ids` is None.
        """
        if ids is None:
            raise ValueError("ids is None; pass the ids of the documents to delete")
        if (space := self._found()) is not None:
            delete_documents(space, ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there, in the order of `ids`."""
        space = self._found()
        return [] if space is None else get_documents(space, ids)

    def similarity_search(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[Document]:
        """Return the `k` documents nearest to a text, among those that pass `filter`, the nearest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Return the documents of `similarity_search` with their scores in the space's metric; larger is nearer."""
        hits = self._recalled(self._embedding.embed_query(query), k, filter)
        return [(as_document(hit), hit.score) for hit in hits]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[Document]:
        """Return the `k` documents nearest to a vector, among those that pass `filter`, the nearest first."""
        return [as_document(hit) for hit in self._recalled(embedding, k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return `k` of the `fetch_k` documents nearest to a text, chosen to be near and unlike each other."""
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return `k` of the `fetch_k` documents nearest to a vector, chosen to be near and unlike each other."""
        hits = self._recalled(embedding, fetch_k, filter, include_vectors=True)
        vectors = [np.asarray(hit.vector).tolist() for hit in hits]
        chosen = maximal_marginal_relevance(np.asarray(embedding, np.float32), vectors, lambda_mult, k)
        return [as_document(hits[position]) for position in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return a vector store that holds `texts`; `kwargs` are those of the class, such as `target`."""
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """Return what makes a relevance within 0..1 of a score."""
        if self._metric == "l2":
            return lambda score: 1 / (1 - score)
        return lambda score: min(1.0, max(0.0, score))

    def _recalled(
        self, vector: Sequence[float], k: int, filter: FilterLike | None, *, include_vectors: bool = False
    ) -> Hits:
        space = self._found()
        if space is None:
            return Hits()
        return space.recall(Cue(vector, filter=filter), k, include_vectors=include_vectors)

    def _found(self) -> AnySpace | None:
        """Return the space; None if no document has created it yet."""
        if self._space is None:
            try:
                self._space = self._store.space(self._name, create=False)
            except NotFound:
                return None
        return self._space
