"""Metadata that are merged: keys that are named take the place of those that are there, and null removes a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engram.model.values.metadata import check_metadata_column, encode_metadata, read_metadata_column


def merge_metadata_column(stored: Sequence[str], given: Sequence[str]) -> list[str]:
    """Return the metadata of each row with the keys that are given for it: JSON object texts, ``""`` for none.

    Only keys of the top level are merged; an object inside of one is replaced as a whole. A row for which no key is
    given stays as it is stored, to the byte.

    Parameters
    ----------
    stored, given
        JSON object texts, ``""`` for none.

    Raises
    ------
    InvalidInput
        If a text of `given` is none of metadata, as `check_metadata_column`, or what is stored cannot be written again.
    """
    named = check_metadata_column(given)
    # Only what changes is read.
    known = read_metadata_column([text if keys else "" for text, keys in zip(stored, named, strict=True)])
    return [
        _merged(f"metadata[{row}]", before or {}, keys) if keys else text
        for row, (text, before, keys) in enumerate(zip(stored, known, named, strict=True))
    ]


def _merged(field: str, known: dict[str, Any], named: dict[str, Any]) -> str:
    # A null that is stored stays, unless its key is named.
    merged = {key: value for key, value in {**known, **named}.items() if value is not None or key not in named}
    return encode_metadata(merged, field) if merged else ""
