"""What ``observe`` and ``submit`` are given: one observation, or columns of many."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from engram.errors import InvalidInput
from engram.model.columns import (
    COLUMNS,
    MANY_KEYWORDS,
    ONE_KEYWORDS,
    ColumnSpec,
    ObservationColumns,
    ObservationFields,
    check_keywords,
)
from engram.model.observations import ObservationBatch, make_batch
from engram.model.values.scalars import as_text
from engram.model.values.vectors import as_float32

F = TypeVar("F", bound=Callable[..., Any])

# Ids, vectors and contents may be given by place.
_PLACED: Final = 3
_FIELDS: Final = frozenset(ObservationFields.__annotations__)


class OneObservation(NamedTuple):
    """One observation as a caller passes it."""

    id: str
    vector: ArrayLike | None
    content: str
    fields: ObservationFields

    def batch(self) -> ObservationBatch:
        """Return a batch of one row; its vectors have the shape ``(1, 0)`` if there is no vector.

        Raises
        ------
        InvalidInput
            If a value cannot be converted.
        """
        as_text("id", self.id)
        vector = np.empty(0, np.float32) if self.vector is None else as_float32(self.vector, "vector")
        if vector.ndim != 1:
            raise InvalidInput(
                f"the vector of one observation has shape {vector.shape}; pass one of shape (dim,), or a list of ids",
                code="invalid_vector",
                field="vector",
                limit="(dim,)",
                value=vector.shape,
            )
        given: dict[str, Any] = {"content": self.content, **self.fields}
        columns = {spec.name: _column(spec, given.get(spec.singular)) for spec in COLUMNS}
        return ObservationBatch(ids=[self.id], vectors=vector[None], **columns)


class ManyObservations(NamedTuple):
    """Columns of observations as a caller passes them."""

    ids: Sequence[str]
    vectors: ArrayLike | None
    contents: Sequence[str] | None
    columns: ObservationColumns

    def batch(self) -> ObservationBatch:
        """Return the batch; its vectors have the shape ``(0, 0)`` if there are none.

        Raises
        ------
        InvalidInput
            If a column cannot be converted, or has the wrong length.
        """
        vectors = np.empty((0, 0), np.float32) if self.vectors is None else self.vectors
        return make_batch(self.ids, vectors, self.contents, **self.columns)


def take_observations(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> OneObservation | ManyObservations:
    """Sort the arguments of ``observe``: an id that is a text means one observation, a list of ids many.

    Raises
    ------
    InvalidInput
        If there is no id, or a keyword is not known or given twice.
    """
    if len(arguments) == _PLACED and isinstance(arguments[0], str) and keywords.keys() <= _FIELDS:
        # What most callers pass, and a stream passes for every observation.
        first, vector, content = arguments
        return OneObservation(first, vector, content, cast("ObservationFields", keywords))
    is_one = isinstance(arguments[0] if arguments else keywords.get("ids"), str) or "id" in keywords
    names = ONE_KEYWORDS if is_one else MANY_KEYWORDS
    given = dict(zip(names, arguments, strict=False))
    if len(arguments) > len(names) or given.keys() & keywords.keys():
        raise _refused(f"an argument is given twice, or there are more than {len(names)}", names, len(arguments))
    if len(arguments) > _PLACED:
        late = ", ".join(names[_PLACED : len(arguments)])
        warnings.warn(f"{late} by place is deprecated; pass by keyword", DeprecationWarning, stacklevel=4)
    check_keywords(keywords, [*names, "ids"])
    given |= keywords
    first = given.pop(names[0], None)
    if first is None and (first := given.pop("ids", None)) is None:
        raise _refused("there are no ids", names, None)
    vector, content = given.pop(names[1], None), given.pop(names[2], None)
    if is_one:
        return OneObservation(first, vector, "" if content is None else content, cast("ObservationFields", given))
    return ManyObservations(first, vector, content, cast("ObservationColumns", given))


def arguments_of(batch: ObservationBatch) -> dict[str, Any]:
    """Return a batch as the arguments of a call that takes many observations, such as `make_batch`."""
    given = {spec.plural: getattr(batch, spec.name) for spec in COLUMNS}
    # A call takes integers for seconds.
    return {"ids": batch.ids, "vectors": batch.vectors, **given, "timestamps": batch.times_us.view("datetime64[us]")}


def one_or_many(function: F) -> F:
    """Show the arguments of a function that passes them to `take_observations`."""
    ids = inspect.Parameter("ids", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="str | Sequence[str]")
    vectors = ids.replace(name="vectors", default=None, annotation="ArrayLike | None")
    contents = ids.replace(name="contents", default=None, annotation="str | Sequence[str] | None")
    columns = inspect.Parameter("columns", inspect.Parameter.VAR_KEYWORD, annotation="Unpack[ObservationColumns]")
    signature = inspect.signature(function)
    own = [signature.parameters["self"], ids, vectors, contents, columns]
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    return function


def _refused(message: str, names: Sequence[str], value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_arguments", field=names[0], limit=", ".join(names), value=value)


def _column(spec: ColumnSpec, value: object) -> Any:
    """Return the column of one observation."""
    if value is None:
        return spec.blanks(1)
    element = spec.value(value)
    return [element] if spec.dtype is None else np.array([element], spec.dtype)
