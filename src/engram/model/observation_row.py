"""One observation, converted and copied, before it becomes a row of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.columns import (
    COLUMNS,
    EMBED,
    ONE_KEYWORDS,
    ColumnSpec,
    ObservationFields,
    TagsSpec,
    TimeSpec,
    check_keywords,
)
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.spaces import SpaceConfig
from engram.model.values.expiry import as_ttl_us, check_one_expiry
from engram.model.values.presence import Presence
from engram.model.values.scalars import as_flag, as_text
from engram.model.values.vectors import as_float32

ROW_OVERHEAD_BYTES: Final = 128
"""Average size in bytes of the id and of the Python objects of a row."""


def _counter(spec: ColumnSpec) -> Callable[[Any], int] | None:
    """Return what counts the characters of one element of a column; None for numbers."""
    if spec.dtype is not None:
        return None
    return (lambda tags: sum(map(len, tags))) if isinstance(spec, TagsSpec) else len


# For the path of single observations, of which there may be 100 000 a second: by its keyword, the position of a column
# in `ObservationRow.values`, what converts a value, and what counts its characters.
_CONVERSIONS: Final[dict[str, tuple[int, Callable[[Any], Any], Callable[[Any], int] | None]]] = {
    spec.singular: (position, spec.converter(), _counter(spec)) for position, spec in enumerate(COLUMNS)
}
# The time to live is another way to say when an observation expires.
_CONVERSIONS["ttl"] = (_CONVERSIONS["expires_at"][0], as_ttl_us, None)
_CONTENT: Final = [spec.name for spec in COLUMNS].index("contents")
_BLANKS: Final = tuple(None if isinstance(spec, TimeSpec) else spec.blank() for spec in COLUMNS)
_TIMES: Final = tuple((position, spec) for position, spec in enumerate(COLUMNS) if isinstance(spec, TimeSpec))
_NO_VECTOR: Final = np.empty(0, np.float32)


class ObservationRow(NamedTuple):
    """One observation, which shares no memory with what the caller passed.

    Parameters
    ----------
    id
        Id of the observation.
    vector
        float32, shape ``(dim,)``, or ``(0,)`` if there is none, or the space's embedder is to make it.
    values
        The elements of all other columns, in the order of `engram.model.columns.COLUMNS`.
    nbytes
        Approximate size in memory.
    has_text
        Whether there is a text, be it empty.
    embeds
        Whether the space's embedder makes the vector if there is none.
    """

    id: str
    vector: NDArray[np.float32]
    values: tuple[Any, ...]
    nbytes: int
    has_text: bool = True
    embeds: bool = True


def convert_row(
    config: SpaceConfig,
    id: str,
    vector: ArrayLike | None,
    content: str | None,
    fields: ObservationFields,
    is_made: bool = False,
) -> ObservationRow:
    """Copy one observation of a caller; check only types and the shape of the vector.

    Parameters
    ----------
    config
        Settings of the space.
    id, vector, content, fields
        The observation as a caller passes it. None stands for what is not given, and as `content` for no text; a vector
        that is not given is left to the embedder of the space, if it has one.
    is_made
        Whether the id is made up; errors do not name an id that the caller has never seen.

    Raises
    ------
    InvalidInput
        If the vector is not a vector of numbers or does not have the dimension of the space, if a keyword is not known,
        or if a value cannot be converted.
    """
    as_text("id", id)
    named = None if is_made else id
    copied = _NO_VECTOR if vector is None else as_float32(vector, "vector", "the vector", named, owned=True)
    if vector is not None and (copied.shape != (config.dim,) or not config.dim):
        raise _wrong_shape(config, named, copied.shape)
    values: list[Any] = list(_BLANKS)
    nbytes = copied.nbytes + ROW_OVERHEAD_BYTES
    if content is not None:
        values[_CONTENT] = as_text("content", content)
        nbytes += len(content)
    embeds = True
    for keyword, value in fields.items():
        if keyword not in _CONVERSIONS:
            check_keywords(fields, ONE_KEYWORDS)
            embeds = value is None or as_flag(EMBED, value)
            continue
        if value is not None:
            position, convert, count_characters = _CONVERSIONS[keyword]
            values[position] = converted = convert(value)
            if count_characters is not None:
                nbytes += count_characters(converted)
    if "ttl" in fields:
        check_one_expiry(fields.get("expires_at"), fields["ttl"])
    for position, spec in _TIMES:
        if values[position] is None:
            values[position] = spec.blank()
    return ObservationRow(id, copied, tuple(values), nbytes, content is not None, embeds)


def _wrong_shape(config: SpaceConfig, id: str | None, shape: tuple[int, ...]) -> InvalidInput:
    of, many = (f" of {id!r}", "a list of ids") if id is not None else ("", "vectors of many observations")
    return InvalidInput(
        f"the vector{of} has shape {shape} where space {config.name!r} has dimension {config.dim}; "
        f"pass one of shape ({config.dim},), or {many}",
        code="dimension_mismatch" if config.dim else "vectors_refused",
        field="vector",
        limit=config.dim,
        value=shape,
    )


def batch_of(rows: Sequence[ObservationRow]) -> ObservationBatch:
    """Return at least one row, all with vectors of one length, and all to be embedded or none, as a batch."""
    ids, vectors, values, _, has_text, embeds = zip(*rows, strict=True)
    columns = zip(COLUMNS, zip(*values, strict=True), strict=True)
    gathered = {spec.name: spec.gather(column) for spec, column in columns}
    # All vectors have the same length, so there is no need to stack them one by one.
    matrix = np.concatenate(vectors).reshape(len(ids), -1) if vectors[0].size else np.empty((len(ids), 0), np.float32)
    if not all(has_text):
        texts: Presence = np.array(has_text, np.bool_)
        gathered["text_presence"] = texts
    return fill_batch(ids, matrix, gathered, embeds=embeds[0])
