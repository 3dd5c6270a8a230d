"""Haystack's own suites for the coroutines of document stores, unmodified."""

from __future__ import annotations

import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.testing.document_store_async import (
    CountDocumentsAsyncTest,
    CountDocumentsByFilterAsyncTest,
    CountUniqueMetadataByFilterAsyncTest,
    DeleteAllAsyncTest,
    DeleteByFilterAsyncTest,
    DeleteDocumentsAsyncTest,
    FilterDocumentsAsyncTest,
    GetMetadataFieldMinMaxAsyncTest,
    GetMetadataFieldsInfoAsyncTest,
    GetMetadataFieldUniqueValuesAsyncTest,
    UpdateByFilterAsyncTest,
    WriteDocumentsAsyncTest,
)

from engram.connection import AnyStore
from engram.integrations.haystack import EngramDocumentStore
from tests.suites.haystack.single_precision import InSinglePrecision


class TestAsyncDocumentStore(
    InSinglePrecision,
    CountDocumentsAsyncTest,
    WriteDocumentsAsyncTest,
    DeleteDocumentsAsyncTest,
    FilterDocumentsAsyncTest,
    DeleteAllAsyncTest,
    DeleteByFilterAsyncTest,
    UpdateByFilterAsyncTest,
    CountDocumentsByFilterAsyncTest,
    CountUniqueMetadataByFilterAsyncTest,
    GetMetadataFieldsInfoAsyncTest,
    GetMetadataFieldMinMaxAsyncTest,
    GetMetadataFieldUniqueValuesAsyncTest,
):
    # Left out, as the page says: 1 and 1.0 are one number.
    test_get_metadata_field_unique_values_distinct_types_async = None

    @pytest.fixture
    def document_store(self, store: AnyStore, space_name: str) -> EngramDocumentStore:
        return EngramDocumentStore(store, space=space_name)

    async def test_write_documents_async(self, document_store: EngramDocumentStore) -> None:
        """What the suite leaves to a store: what becomes of a known id if nothing is said."""
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        self.assert_documents_are_equal(await document_store.filter_documents_async(), [document])
