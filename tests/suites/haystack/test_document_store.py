"""Haystack's own suites for document stores that wait, unmodified."""

from __future__ import annotations

import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DocumentStore
from haystack.testing.document_store import (
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    DocumentStoreBaseExtendedTests,
    GetMetadataFieldMinMaxTest,
    GetMetadataFieldsInfoTest,
    GetMetadataFieldUniqueValuesTest,
)

from engram.connection import AnyStore
from engram.integrations.haystack import EngramDocumentStore
from tests.suites.haystack.single_precision import InSinglePrecision


class TestDocumentStore(
    InSinglePrecision,
    DocumentStoreBaseExtendedTests,
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    GetMetadataFieldsInfoTest,
    GetMetadataFieldMinMaxTest,
    GetMetadataFieldUniqueValuesTest,
):
    # Left out, as the page says: 1 and 1.0 are one number.
    test_get_metadata_field_unique_values_distinct_types = None

    @pytest.fixture
    def document_store(self, store: AnyStore, space_name: str) -> DocumentStore:
        return EngramDocumentStore(store, space=space_name)

    def test_write_documents(self, document_store: DocumentStore) -> None:
        """What the suite leaves to a store: what becomes of a known id if nothing is said."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])
