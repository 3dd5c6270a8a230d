"""What becomes of a document whose id is there already: the policies of Haystack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from engram.connection import AnySpace
from engram.errors import FailedPrecondition, InvalidInput, OverCapacity
from engram.integrations.haystack.documents import observe_documents
from engram.model.batches.parts import Parts

# As often as an update of the engine, which others may overtake as well.
_ATTEMPTS_MAX: Final = 64
_FAILED: Final = "condition_failed"


def write_documents(space: AnySpace, documents: Sequence[Document], policy: DuplicatePolicy) -> int:
    """Store documents, durable on return, and return how many were stored.

    Parameters
    ----------
    space
        Where they are stored.
    documents
        Any number of them, which are stored in parts of up to 10 000, each as a whole or not at all.
    policy
        ``OVERWRITE``: a document takes the place of one with its id. ``SKIP``: it is not stored. ``FAIL`` and ``NONE``:
        that is an error.

    Raises
    ------
    DuplicateDocumentError
        If the policy is ``FAIL`` or ``NONE``, and an id is there already or occurs twice.
    EngramError
        As ``observe`` of a space.
    """
    if policy is DuplicatePolicy.SKIP:
        return _write_absent(space, documents)
    parts = Parts(len(documents))
    try:
        for part in parts:
            with parts.halving(part):
                observe_documents(space, documents[part], if_absent=policy is not DuplicatePolicy.OVERWRITE)
    except (FailedPrecondition, InvalidInput) as error:
        if error.code not in (_FAILED, "duplicate_id"):
            raise
        raise DuplicateDocumentError(str(error)) from error
    return len(documents)


def _write_absent(space: AnySpace, documents: Sequence[Document]) -> int:
    """Store the documents whose ids are not there, the first of each id, and return how many these are."""
    first: dict[str, Document] = {}
    for document in documents:
        first.setdefault(document.id, document)
    distinct = list(first.values())
    written = 0
    parts = Parts(len(distinct))
    for part in parts:
        with parts.halving(part):
            written += _write_part_absent(space, distinct[part])
    return written


def _write_part_absent(space: AnySpace, documents: Sequence[Document]) -> int:
    """Store the documents whose ids are not there, as a whole or not at all, and return how many these are."""
    for _ in range(_ATTEMPTS_MAX):
        found = space.get([document.id for document in documents])
        absent = [document for document, hit in zip(documents, found, strict=True) if hit is None]
        try:
            if absent:
                observe_documents(space, absent, if_absent=True)
            return len(absent)
        except FailedPrecondition as error:
            # Somebody else has stored one of them meanwhile.
            if error.code != _FAILED:
                raise
    raise OverCapacity(
        f"others stored some of {len(documents)} documents each of the {_ATTEMPTS_MAX} times that the rest was to be "
        "stored; the rest is not stored",
        code="contended",
        field="documents",
        limit=_ATTEMPTS_MAX,
        value=len(documents),
    )
