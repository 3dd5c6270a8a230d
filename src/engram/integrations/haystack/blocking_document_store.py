"""The document store of Haystack on a space of Engram, for code that waits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from haystack import Document
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from engram.client import Client
from engram.connection import AnySpace
from engram.errors import InvalidInput, NotFound
from engram.integrations.haystack.documents import RESERVED, as_document, check_documents, check_meta, wrong_kind
from engram.integrations.haystack.filters import condition_of, key_of
from engram.integrations.haystack.metadata_fields import field_types, least_and_greatest, unique_values, value_count
from engram.integrations.haystack.writing import write_documents
from engram.integrations.store_adapter import StoreAdapter, Target
from engram.model.cue import Cue, as_cue
from engram.model.filters.conditions import Condition
from engram.model.spaces import Metric
from engram.model.values.scalars import as_text
from engram.model.values.sequences import check_list

SPACE: Final = "haystack"
TOP_K: Final = 10
"""How many documents are found if nothing else is said."""

Filters = Mapping[str, Any]
"""A filter of Haystack."""


class BlockingDocumentStore(StoreAdapter):
    """The methods of `EngramDocumentStore` that wait; it has the arguments, and a coroutine for each of the methods."""

    def __init__(
        self,
        target: Target = None,
        *,
        space: str = SPACE,
        dim: int | None = None,
        metric: Metric | None = None,
    ) -> None:
        super().__init__(target, space)
        self._target = target
        self._dim = dim
        self._metric: Metric | None = metric
        self._found: AnySpace | None = None

    def count_documents(self) -> int:
        """Return how many documents there are."""
        return int(self._space.count())

    def filter_documents(self, filters: Filters | None = None) -> list[Document]:
        """Return the documents that pass a filter, in the order in which they were stored; None: all.

        Raises
        ------
        FilterError
            If the filter is none.
        """
        return [as_document(hit) for hit in self._space.scan(_condition(filters), include_vectors=True)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Store documents, durable on return, and return how many were stored.

        Parameters
        ----------
        documents
            Any number of them, which are stored in parts of up to 10 000, each as a whole or not at all.
        policy
            What becomes of a document whose id is there already. ``OVERWRITE``: it takes the place of the other.
            ``SKIP``: it is not stored. ``FAIL`` and ``NONE``: that is an error.

        Raises
        ------
        DuplicateDocumentError
            If the policy is ``FAIL`` or ``NONE``, and an id is there already or occurs twice.
        InvalidInput
            If the documents are no list of documents, or one of them is refused, such as one with a longer embedding.
        """
        if not isinstance(policy, DuplicatePolicy):
            raise wrong_kind("policy", policy, "a DuplicatePolicy")
        return write_documents(self._space, check_documents(documents), policy)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents by id, durable on return; unknown ids are ignored."""
        check_list("document_ids", document_ids)
        if document_ids:
            self._space.delete(document_ids)

    def delete_all_documents(self, recreate_index: bool = False) -> None:
        """Delete all documents, durable on return.

        Parameters
        ----------
        recreate_index
            Whether to drop the space, with its history and its aliases, and to make it anew as it had been made.
        """
        space = self._space
        if not recreate_index:
            space.clear()
            return
        config = space.space_status().config if isinstance(space, Client) else space.config
        self._found = None
        self._store.drop(config.name)
        self._found = self._store.space(
            config.name,
            config.dim,
            config.metric,
            config.embedder or None,
            vectors=config.vectors,
            ttl=config.ttl_s,
        )

    def delete_by_filter(self, filters: Filters) -> int:
        """Delete the documents that pass a filter, durable on return, and return how many these were.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the filter has no conditions: `delete_all_documents` deletes everything.
        """
        return int(self._space.delete(filter=_condition(filters)))

    def update_by_filter(self, filters: Filters, meta: dict[str, Any]) -> int:
        """Change the meta of the documents that pass a filter, durable on return, and return how many these are.

        Parameters
        ----------
        filters
            The filter, as of the beginning of the call.
        meta
            Keys that take the place of those of the same name; None removes one, and others stay.

        Raises
        ------
        FilterError
            If the filter is none.
        NotFound
            If a document is deleted meanwhile. Others may have been changed; the same call changes the rest.
        """
        change = check_meta(meta, "meta")
        space = self._space
        ids = [hit.id for hit in space.scan(_condition(filters))]
        if ids:
            space.update(ids, metadata=[change] * len(ids))
        return len(ids)

    def count_documents_by_filter(self, filters: Filters) -> int:
        """Return how many documents pass a filter.

        Raises
        ------
        FilterError
            If the filter is none.
        """
        return int(self._space.count(_condition(filters)))

    def count_unique_metadata_by_filter(self, filters: Filters, metadata_fields: list[str]) -> dict[str, int]:
        """Return how many different values some keys of the meta have in the documents that pass a filter.

        Raises
        ------
        FilterError
            If the filter is none.
        """
        condition = _condition(filters)
        check_list("metadata_fields", metadata_fields)
        return {key: value_count(self._space, key, condition) for key in map(key_of, metadata_fields)}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Return the ``"type"`` of each key of the meta: ``"keyword"``, ``"int"``, ``"float"`` or ``"boolean"``.

        It is that of the most frequent values.
        """
        return field_types(self._space, RESERVED)

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Return the least and the greatest value of a key of the meta, as ``"min"`` and ``"max"``; None without any.

        They are those of the numbers, or those of the texts where there are no numbers.
        """
        return least_and_greatest(self._space, key_of(metadata_field))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[Any], int]:
        """Return some of the values of a key of the meta, the most frequent first, and how many there are.

        Parameters
        ----------
        metadata_field
            The key, with or without ``meta.`` before it.
        search_term
            A text that a value has in it, in upper or lower case; None: every value.
        from_, size
            Which of them, among the 10 000 most frequent.
        filters
            The documents whose values are told; None: all.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the values lie beyond the 10 000 most frequent, or there are more than 10 000 to search in.
        """
        term = None if search_term is None else as_text("search_term", search_term)
        return unique_values(self._space, key_of(metadata_field), _condition(filters), term, from_, size)

    def embedding_retrieval(
        self,
        query_embedding: Sequence[float],
        filters: Filters | None = None,
        top_k: int = TOP_K,
        *,
        return_embedding: bool = False,
    ) -> list[Document]:
        """Return the `top_k` documents nearest to an embedding, among those that pass a filter, the nearest first.

        Their scores are those of the metric of the space.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the embedding does not fit the space, or `top_k` is less than 1.
        """
        cue = dataclasses.replace(as_cue(query_embedding), filter=_condition(filters))
        return self._recalled(cue, top_k, return_embedding)

    def keyword_retrieval(
        self, query: str, filters: Filters | None = None, top_k: int = TOP_K, *, return_embedding: bool = False
    ) -> list[Document]:
        """Return the `top_k` documents that match the words of a text best, among those that pass a filter.

        Their scores are those of BM25, with English word endings.

        Raises
        ------
        FilterError
            If the filter is none.
        InvalidInput
            If the text is empty, or `top_k` is less than 1.
        """
        return self._recalled(Cue(text=query, by="words", filter=_condition(filters)), top_k, return_embedding)

    def _recalled(self, cue: Cue, top_k: int, return_embedding: bool) -> list[Document]:
        hits = self._space.recall(cue, top_k, include_vectors=return_embedding)
        return [as_document(hit, score=hit.score, with_embedding=return_embedding) for hit in hits]

    @property
    def _space(self) -> AnySpace:
        """The space; made with the first use, if it is not there."""
        if self._found is None:
            try:
                self._found = self._store.space(self._name, self._dim, self._metric, create=False)
            except NotFound:
                self._found = self._store.space(self._name, self._dim, self._metric, vectors="optional")
        return self._found


def _condition(filters: Filters | None) -> Condition:
    try:
        return condition_of(filters)
    except InvalidInput as error:
        raise FilterError(str(error)) from error
