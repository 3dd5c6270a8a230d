"""The ids of a call: one check for every home and at every server, also that none occurs twice where none may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.scalars import as_text, shown
from engram.model.values.sequences import as_whole_list


def as_ids(ids: Iterable[str]) -> list[str]:
    """Return `ids`, as a caller passes them, as a list of any number of texts.

    Raises
    ------
    InvalidInput
        As `as_whole_list`, also if `ids` is a single text; if an id is not a text.
    """
    names = as_whole_list("ids", ids, '["note-1"]', ordered=False)
    return [as_text(f"ids[{row}]", name) for row, name in enumerate(names)]


def check_id_count(ids: Sequence[str]) -> None:
    """Raise `InvalidInput` (code ``batch_count``) if there are more ids than one request has: `BATCH_COUNT_MAX`."""
    if len(ids) > BATCH_COUNT_MAX:
        raise InvalidInput(
            f"{len(ids)} ids at once are refused",
            code="batch_count",
            field="ids",
            limit=f"0..{BATCH_COUNT_MAX}",
            value=len(ids),
        )


def check_distinct_ids(ids: Sequence[str]) -> None:
    """Raise `InvalidInput` (code ``duplicate_id``), naming the row, if one of `ids`, which are texts, occurs twice."""
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    for row, id in enumerate(ids):
        if id in seen:
            named = shown(id, with_type=False)
            raise InvalidInput(
                f"id {named} occurs twice, and only one of the two can hold; name each id once",
                code="duplicate_id",
                field=f"ids[{row}]",
                limit="once",
                value=named,
            )
        seen.add(id)
