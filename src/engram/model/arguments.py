"""What ``observe`` and ``submit`` are given: one observation, or columns of many."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.batches.checks import check_columns
from engram.model.columns import (
    COLUMNS,
    EMBED,
    IDS,
    MANY_KEYWORDS,
    ONE_KEYWORDS,
    ObservationColumns,
    ObservationFields,
    check_keywords,
)
from engram.model.observation_row import ObservationRow, batch_of, convert_row
from engram.model.observations import ObservationBatch, has_vectors, make_batch
from engram.model.spaces import SpaceConfig
from engram.model.values.expiry import arguments_of_expiries
from engram.model.values.keywords import warn_deprecated
from engram.model.values.sequences import as_whole_list
from engram.model.values.vector_rows import VectorsLike

F = TypeVar("F", bound=Callable[..., Any])

# Ids, vectors and contents may be given by place.
_PLACED: Final = 3
_FIELDS: Final = frozenset(ObservationFields.__annotations__)


class OneObservation(NamedTuple):
    """One observation as a caller passes it; None stands for what is not given."""

    id: str
    vector: ArrayLike | None
    content: str | None
    fields: ObservationFields

    def row(self, config: SpaceConfig) -> ObservationRow:
        """Return a copy as a row for the space that `config` describes.

        Raises
        ------
        InvalidInput
            As `convert_row`.
        """
        return convert_row(config, *self)

    def batch(self, config: SpaceConfig) -> ObservationBatch:
        """Return a copy as a batch of one row; its vectors have the shape ``(1, 0)`` if there is no vector.

        Raises
        ------
        InvalidInput
            As `convert_row`.
        """
        return batch_of([self.row(config)])


class ManyObservations(NamedTuple):
    """Columns of observations as a caller passes them; None stands for what is not given."""

    ids: Sequence[str]
    vectors: VectorsLike | None
    contents: Sequence[str | None] | None
    columns: ObservationColumns

    def batch(self, config: SpaceConfig) -> ObservationBatch:
        """Return a copy as a batch; its vectors have the shape ``(n, 0)`` if there are none.

        Raises
        ------
        InvalidInput
            If a column cannot be converted, or has the wrong length, or the vectors another dimension than the space
            that `config` describes.
        """
        ids, vectors, contents, columns = self
        if vectors is not None:
            batch = make_batch(ids, vectors, contents, **columns)
            check_columns(batch, config.dim)
            return batch
        ids = as_whole_list(IDS.plural, ids, '["note-1"]')
        return make_batch(ids, np.empty((len(ids), 0), np.float32), contents, **columns)


def take_observations(
    arguments: Sequence[Any], keywords: Mapping[str, Any], *, blank: str | None = ""
) -> OneObservation | ManyObservations:
    """Sort the arguments of ``observe``: an id that is a text means one observation, a list of ids many.

    `blank` stands for the text of one observation if none is given. None, if that is given, says that it has no text.

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
        warn_deprecated(f"{late} by place is deprecated; pass by keyword")
    # One id may be given as `ids`, too.
    check_keywords((name for name in keywords if name != "ids"), names)
    given |= keywords
    ids = [given.pop(name) for name in dict.fromkeys((names[0], "ids")) if name in given]
    if len(ids) > 1:
        raise _refused("there are both id and ids; pass one of them", names, len(ids))
    if not ids or ids[0] is None:
        raise _refused("there are no ids", names, None)
    first, vector, content = ids[0], given.pop(names[1], None), given.pop(names[2], blank if is_one else None)
    if is_one:
        return OneObservation(first, vector, content, cast("ObservationFields", given))
    return ManyObservations(first, vector, content, cast("ObservationColumns", given))


def arguments_of(batch: ObservationBatch) -> dict[str, Any]:
    """Return a batch as the arguments of a call that takes many observations, such as `make_batch`."""
    given = {spec.plural: getattr(batch, spec.name) for spec in COLUMNS}
    if batch.text_presence is not None:
        has_text = batch.text_presence.tolist()
        given["contents"] = [text if has else None for text, has in zip(batch.contents, has_text, strict=True)]
    if not batch.embeds:
        given[EMBED] = False
    # A call takes integers for seconds.
    given["timestamps"] = batch.times_us.view("datetime64[us]")
    if batch.expires_us is not None:
        given |= arguments_of_expiries(batch.expires_us)
    return {"ids": batch.ids, "vectors": _vectors_of(batch), **given}


def one_or_many(function: F) -> F:
    """Show the arguments of a function that passes them to `take_observations`."""
    ids = inspect.Parameter("ids", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="str | Sequence[str]")
    vectors = ids.replace(name="vectors", default=None, annotation="ArrayLike | None")
    contents = ids.replace(name="contents", default=None, annotation="str | Sequence[str] | None")
    columns = inspect.Parameter("columns", inspect.Parameter.VAR_KEYWORD, annotation="Unpack[ObservationColumns]")
    signature = inspect.signature(function)
    beside = [one for one in signature.parameters.values() if one.kind is inspect.Parameter.KEYWORD_ONLY]
    own = [signature.parameters["self"], ids, vectors, contents, *beside, columns]
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]  # `inspect` reads it.
    return function


def _vectors_of(batch: ObservationBatch) -> NDArray[np.float32] | list[NDArray[np.float32] | None] | None:
    if batch.vector_presence is None:
        return batch.vectors if has_vectors(batch) else None
    return [vector if has else None for vector, has in zip(batch.vectors, batch.vector_presence.tolist(), strict=True)]


def _refused(message: str, names: Sequence[str], value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_arguments", field=names[0], limit=", ".join(names), value=value)
