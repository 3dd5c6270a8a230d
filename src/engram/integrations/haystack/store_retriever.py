"""What the retrievers of a document store have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from haystack import default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from engram.integrations.haystack.blocking_document_store import TOP_K
from engram.integrations.haystack.document_store import EngramDocumentStore
from engram.integrations.haystack.documents import wrong_kind
from engram.model.limits import STREAM_RESULTS_MAX
from engram.model.values.scalars import as_flag, as_whole


class StoreRetriever:
    """A retriever of an `EngramDocumentStore`; the base class of both.

    Parameters
    ----------
    document_store
        Where the documents are.
    filters
        A filter of Haystack that every document passes; None: every document.
    top_k
        How many documents are returned; `run` may ask for others.
    return_embedding
        Whether the documents have their embeddings.
    filter_policy
        What a filter of `run` does to `filters`: ``"replace"`` or ``"merge"``.

    Raises
    ------
    InvalidInput
        If `document_store` is no `EngramDocumentStore`, or `top_k` is less than 1.
    ValueError
        If there is no such policy.
    """

    def __init__(
        self,
        document_store: EngramDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = TOP_K,
        return_embedding: bool = False,
        filter_policy: FilterPolicy | str = FilterPolicy.REPLACE,
    ) -> None:
        if not isinstance(document_store, EngramDocumentStore):
            raise wrong_kind("document_store", document_store, "an EngramDocumentStore")
        self.document_store = document_store
        self.filters = filters
        self.top_k = as_whole("top_k", top_k, 1, STREAM_RESULTS_MAX)
        self.return_embedding = as_flag("return_embedding", return_embedding)
        self.filter_policy = FilterPolicy.from_str(filter_policy) if isinstance(filter_policy, str) else filter_policy

    def to_dict(self) -> dict[str, Any]:
        """Return the retriever as a dictionary, from which `from_dict` makes one like it."""
        made: dict[str, Any] = default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            filters=self.filters,
            top_k=self.top_k,
            return_embedding=self.return_embedding,
            filter_policy=self.filter_policy.value,
        )
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the retriever that `to_dict` has described, with its store."""
        given = dict(data.get("init_parameters", {}))
        if isinstance(given.get("document_store"), Mapping):
            given["document_store"] = EngramDocumentStore.from_dict(given["document_store"])
        made: Self = default_from_dict(cls, {**data, "init_parameters": given})
        return made

    def _asked(self, filters: dict[str, Any] | None, top_k: int | None) -> dict[str, Any]:
        """Return what `run` asks its store for, beside what is searched for."""
        return {
            "filters": apply_filter_policy(self.filter_policy, self.filters, filters),
            "top_k": self.top_k if top_k is None else top_k,
            "return_embedding": self.return_embedding,
        }
