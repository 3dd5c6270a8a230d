"""Some changes of a space in JSON, each with its hit, and as a frame that has the hits as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from numpy.typing import NDArray

from engram.model.following.change import KINDS, Change, ChangeKind, Changes, with_hits
from engram.wire.forms.hits import hit_objects
from engram.wire.forms.received_hits import read_hits


class _ChangeForm(Struct):
    """One change in the header of a frame."""

    kind: str
    id: str
    generation: int
    replaces: int | None = None


class _ChangesForm(Struct):
    """The header of a frame with changes, beside that of the hits."""

    changes: list[_ChangeForm]
    generation: int
    incomplete: bool = False


_read_form: Final = msgspec.json.Decoder(_ChangesForm).decode
_KINDS: Final[dict[str, ChangeKind]] = {kind: kind for kind in KINDS}


def changes_object(changes: Changes, *, vectors: bool) -> dict[str, Any]:
    """Return what JSON shows of some changes.

    Parameters
    ----------
    changes
        The changes.
    vectors
        Whether their hits have their vectors.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if the texts alone are larger than a message may be.
    """
    hits = iter(hit_objects(changes.hits, vectors=vectors))
    told = [
        _change_object(change) if change.hit is None else {**_change_object(change), "hit": next(hits)}
        for change in changes
    ]
    return {"changes": told, "generation": changes.generation, "incomplete": changes.incomplete}


def beside_hits_of_changes(changes: Changes) -> dict[str, Any]:
    """Return what the header of a frame says about some changes beside their hits, which are in the same order."""
    told = list(map(_change_object, changes))
    return {"changes": told, "generation": changes.generation, "incomplete": changes.incomplete}


def read_changes(text: bytes | memoryview, arrays: Mapping[str, NDArray[Any]]) -> Changes:
    """Return the changes in a frame.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the columns do not belong together.
    msgspec.ValidationError
        If the header is none of changes.
    """
    form = _read_form(text)
    _, hits = read_hits(text, arrays)
    told = (
        (kind, each.id, each.generation, each.replaces)
        for each in form.changes
        # What is of a kind that a later server has is passed over.
        if (kind := _KINDS.get(each.kind)) is not None
    )
    return Changes(with_hits(told, hits), form.generation, form.incomplete)


def _change_object(change: Change) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": change.kind, "id": change.id, "generation": change.generation}
    return made if change.replaces is None else {**made, "replaces": change.replaces}
