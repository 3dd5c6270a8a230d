"""Documents of Haystack as observations, and hits as documents."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding

from engram.connection import AnySpace
from engram.errors import FailedPrecondition, InvalidInput
from engram.model.hit import Hit
from engram.model.values.scalars import shown

RESERVED: Final = "_haystack"
"""The key of the metadata under which stands what of a document has no place of its own in an observation."""


def as_document(hit: Hit, *, score: float | None = None, with_embedding: bool = True) -> Document:
    """Return what `hit` remembers, as a document with the same id.

    Parameters
    ----------
    hit
        The hit.
    score
        The score of the document; None if nothing was searched for.
    with_embedding
        Whether the document has its embedding.

    Raises
    ------
    FailedPrecondition
        If somebody else has written something under the key that is reserved.
    """
    meta: dict[str, Any] = dict(hit.metadata)
    blob, sparse_embedding = _read_beside(hit.id, meta.pop(RESERVED, {}))
    vector = hit.vector if with_embedding else None
    return Document(
        id=hit.id,
        content=hit.content if hit.has_content else None,
        blob=blob,
        meta=meta,
        score=score,
        embedding=None if vector is None else np.asarray(vector).tolist(),
        sparse_embedding=sparse_embedding,
    )


def observe_documents(space: AnySpace, documents: Sequence[Document], *, if_absent: bool = False) -> None:
    """Store documents, durable on return.

    Parameters
    ----------
    space
        Where they are stored.
    documents
        At least one, and as many as one call takes: they are stored as a whole or not at all.
    if_absent
        Store them only if no id is there; otherwise a document takes the place of one with its id.

    Raises
    ------
    EngramError
        As ``observe`` of a space.
    """
    space.observe(
        [document.id for document in documents],
        [document.embedding for document in documents],
        [document.content for document in documents],
        metadata=[_metadata_of(document) for document in documents],
        if_absent=if_absent,
    )


def check_documents(documents: object) -> list[Document]:
    """Return `documents` as a list.

    Raises
    ------
    InvalidInput
        If they are no list of documents; naming the first that is none.
    """
    if not isinstance(documents, list | tuple):
        raise wrong_kind("documents", documents, "a list of documents")
    for row, document in enumerate(documents):
        if not isinstance(document, Document):
            raise wrong_kind(f"documents[{row}]", document, "a Document")
    return list(documents)


def check_meta(meta: object, field: str) -> dict[str, Any]:
    """Return `meta`, which must be a dictionary without the key that is reserved.

    Raises
    ------
    InvalidInput
        Naming `field`.
    """
    if not isinstance(meta, dict):
        raise wrong_kind(field, meta, "a dictionary")
    if RESERVED in meta:
        raise InvalidInput(
            f"{field} has the key {RESERVED!r}, under which blobs and sparse embeddings are stored; rename it",
            field=field,
            limit=f"keys other than {RESERVED}",
            value=RESERVED,
        )
    return meta


def wrong_kind(field: str, value: object, wanted: str) -> InvalidInput:
    """Return the error for an argument that is of another kind than is `wanted`."""
    return InvalidInput(f"{field} is {shown(value)}; pass {wanted}", field=field, limit=wanted, value=shown(value))


def _metadata_of(document: Document) -> dict[str, Any]:
    meta = check_meta(document.meta, "meta")
    beside: dict[str, Any] = {}
    if document.blob is not None:
        blob = document.blob
        data = base64.b64encode(blob.data).decode()
        beside["blob"] = {"data": data, "meta": blob.meta, "mime_type": blob.mime_type}
    if document.sparse_embedding is not None:
        beside["sparse_embedding"] = document.sparse_embedding.to_dict()
    return {**meta, RESERVED: beside} if beside else meta


def _read_beside(id: str, beside: Any) -> tuple[ByteStream | None, SparseEmbedding | None]:
    """Return the blob and the sparse embedding that `_metadata_of` has stored, each None if the document has none."""
    try:
        blob, sparse = beside.get("blob"), beside.get("sparse_embedding")
        if blob is not None:
            blob = ByteStream(base64.b64decode(blob["data"]), meta=blob["meta"], mime_type=blob["mime_type"])
        return blob, None if sparse is None else SparseEmbedding(**sparse)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FailedPrecondition(
            f"document {shown(id, with_type=False)} has under {RESERVED!r} what no document store has written; write "
            "it anew without that key",
            field="meta",
            limit=f"no {RESERVED} of others",
            value=shown(beside),
        ) from error
