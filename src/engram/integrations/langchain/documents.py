"""Documents of LangChain as observations, and hits as documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from langchain_core.documents import Document

from engram.connection import AnySpace
from engram.errors import InvalidInput
from engram.model.hit import Hit


def as_document(hit: Hit) -> Document:
    """Return what `hit` remembers, as a document with the same id."""
    return Document(id=hit.id, page_content=hit.content, metadata=hit.metadata)


def observe_documents(
    space: AnySpace,
    documents: Sequence[Document],
    vectors: Sequence[Sequence[float]] | None = None,
    ids: Sequence[str | None] | None = None,
) -> list[str]:
    """Store documents, durable on return, and return their ids; one without an id gets one.

    Parameters
    ----------
    space
        Where they are stored. A document whose id is there already takes the place of the other.
    documents
        Any number of them, which are stored in parts of up to 10 000, each as a whole or not at all.
    vectors
        The vector of each, of the space's dimension; None: the space's embedder makes them.
    ids
        The id of each, None for a new one; None: the documents' own.

    Raises
    ------
    InvalidInput
        If there are not as many ids as documents.
    """
    given = [document.id for document in documents] if ids is None else ids
    if len(given) != len(documents):
        raise InvalidInput(
            f"there are {len(given)} ids for {len(documents)} documents; pass one each",
            field="ids",
            limit=len(documents),
            value=len(given),
        )
    named = [id or str(uuid.uuid4()) for id in given]
    if named:
        contents = [document.page_content for document in documents]
        space.observe(named, vectors, contents, metadata=[document.metadata for document in documents])
    return named


def get_documents(space: AnySpace, ids: Iterable[str]) -> list[Document]:
    """Return the documents that are there, in the order of `ids`."""
    return [as_document(hit) for hit in space.get(list(ids)) if hit is not None]


def delete_documents(space: AnySpace, ids: Sequence[str]) -> int:
    """Delete any number of documents, durable on return, and return how many there were; unknown ids are ignored."""
    return int(space.delete(ids)) if ids else 0
