"""The ids of a call that deletes or looks up: one check, for every home and at every server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.scalars import as_text
from engram.model.values.sequences import as_list


def as_ids(ids: Iterable[str]) -> list[str]:
    """Return `ids`, as a caller passes them, as a list of texts, which may be empty.

    Raises
    ------
    InvalidInput
        If `ids` is a single text, if an id is not a text, or if there are too many.
    """
    names = as_list("ids", ids, '["note-1"]', ordered=False)
    check_id_count(names)
    return [as_text(f"ids[{row}]", name) for row, name in enumerate(names)]


def check_id_count(ids: Sequence[str]) -> None:
    """Raise `InvalidInput` (code ``batch_count``) if there are more than `BATCH_COUNT_MAX` ids."""
    if len(ids) > BATCH_COUNT_MAX:
        raise InvalidInput(
            f"{len(ids)} ids at once are refused",
            code="batch_count",
            field="ids",
            limit=f"0..{BATCH_COUNT_MAX}",
            value=len(ids),
        )
