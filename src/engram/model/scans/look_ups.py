"""What ``get`` and ``in`` are given: one id, or many in an order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engram.model.values.scalars import as_text
from engram.model.values.sequences import as_whole_list


def as_id_or_ids(id: str | Iterable[str]) -> str | list[str]:
    """Return one id, or any number of ids as a list.

    Raises
    ------
    InvalidInput
        If it is neither a text nor a list of texts, or a set, which has no order. An iterable without a length may have
        10 000 at most.
    """
    is_many = isinstance(id, Iterable) and not isinstance(id, str | bytes | bytearray | memoryview)
    if not is_many or (isinstance(id, np.ndarray) and not id.ndim):
        return as_text("id", id)
    ids = as_whole_list("id", id, '["note-1"]')
    return [as_text(f"id[{row}]", one) for row, one in enumerate(ids)]
