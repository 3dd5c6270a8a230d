"""Documents as Engram returns them: their embeddings are kept in single precision."""

from __future__ import annotations

import dataclasses

import numpy as np
from haystack import Document


class InSinglePrecision:
    """What Haystack's suites leave to a store: when two lists of documents are equal."""

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        assert received == [in_single_precision(document) for document in expected]


def in_single_precision(document: Document) -> Document:
    """The document as it is stored."""
    if document.embedding is None:
        return document
    return dataclasses.replace(document, embedding=np.array(document.embedding, np.float32).tolist())
