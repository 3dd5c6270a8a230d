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
from engram.model.values.ids import made_id, made_ids
from engram.model.values.keywords import warn_deprecated
from engram.model.values.scalars import is_real
from engram.model.values.sequences import as_whole_list
from engram.model.values.vector_rows import VectorsLike

F = TypeVar("F", bound=Callable[..., Any])

# Ids, vectors and contents may be given by place.
_PLACED: Final = 3
# In older versions also timestamps, confidences, importances, metadata and tags.
_ONCE_PLACED: Final = 8
_FIELDS: Final = frozenset(ObservationFields.__annotations__)
# What only a call with many observations has, beside the ids.
_OF_MANY: Final = frozenset(MANY_KEYWORDS[1:]) - frozenset(ONE_KEYWORDS)


class OneObservation(NamedTuple):
    """One observation as a caller passes it; None stands for what is not given.

    Parameters
    ----------
    id, vector, content, fields
        As the caller passes them.
    is_made
        Whether the id is made up, because the caller gave none.
    """

    id: str
    vector: ArrayLike | None
    content: str | None
    fields: ObservationFields
    is_made: bool = False

    @property
    def made_ids(self) -> Sequence[str]:
        """The id, if it is made up."""
        return (self.id,) if self.is_made else ()

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
    """Columns of observations as a caller passes them; None stands for what is not given.

    Parameters
    ----------
    ids, vectors, contents, columns
        As the caller passes them.
    is_made
        Whether the ids are made up, because the caller gave none.
    """

    ids: Sequence[str]
    vectors: VectorsLike | None
    contents: Sequence[str | None] | None
    columns: ObservationColumns
    is_made: bool = False

    @property
    def made_ids(self) -> Sequence[str]:
        """The ids, if they are made up."""
        return self.ids if self.is_made else ()

    def batch(self, config: SpaceConfig) -> ObservationBatch:
        """Return a copy as a batch; its vectors have the shape ``(n, 0)`` if there are none.

        Raises
        ------
        InvalidInput
            If a column cannot be converted, or has the wrong length, or the vectors another dimension than the space
            that `config` describes.
        """
        ids, vectors, contents, columns, _ = self
        if vectors is not None:
            batch = make_batch(ids, vectors, contents, **columns)
            check_columns(batch, config.dim)
            return batch
        ids = as_whole_list(IDS.plural, ids, '["note-1"]')
        return make_batch(ids, np.empty((len(ids), 0), np.float32), contents, **columns)


def take_observations(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> OneObservation | ManyObservations:
    """Sort the arguments of ``observe``: an id that is a text means one observation, a list of ids many.

    Where no id is given, ids are made up. Then the names of the arguments tell one from many, such as ``vector`` and
    ``vectors``, and where they are given by place, their form: a text, or a single vector, means one.

    Raises
    ------
    InvalidInput
        If nothing is given, a keyword is not known or given twice, or nothing tells how many observations there are.
    """
    if len(arguments) == _PLACED and isinstance(arguments[0], str) and keywords.keys() <= _FIELDS:
        # What most callers pass, and a stream passes for every observation.
        first, vector, content = arguments
        return OneObservation(first, vector, content, cast("ObservationFields", keywords))
    is_one, ids, given = _sorted_arguments(arguments, keywords)
    if ids is not None:
        return _observations(is_one, ids, given)
    if all(value is None for name, value in given.items() if name != EMBED):
        raise nothing_to_observe(MANY_KEYWORDS)
    made = made_id() if is_one else made_ids(_count_of(given))
    return _observations(is_one, made, given, is_made=True)


def nothing_to_observe(names: Sequence[str] = ONE_KEYWORDS) -> InvalidInput:
    """Return the error for an observation that is not given an id, nor anything that an observation has.

    Parameters
    ----------
    names
        What could have been given.
    """
    return _refused("there is nothing to observe; pass a vector, a text, or both", names, None)


def take_existing(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> OneObservation | ManyObservations:
    """Sort the arguments of ``update`` as `take_observations` does; a text that is not given is None.

    Raises
    ------
    InvalidInput
        If there is no id, or a keyword is not known or given twice.
    """
    is_one, ids, given = _sorted_arguments(arguments, keywords)
    if ids is None:
        raise _refused("there are no ids", MANY_KEYWORDS, None)
    return _observations(is_one, ids, given, blank=None)


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
    return _showing(function, "str | Sequence[str] | None", None)


def one_or_many_existing(function: F) -> F:
    """Show the arguments of a function that passes them to `take_existing`."""
    return _showing(function, "str | Sequence[str]", inspect.Parameter.empty)


def _showing(function: F, ids_annotation: str, ids_default: object) -> F:
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    ids = inspect.Parameter("ids", place, default=ids_default, annotation=ids_annotation)
    vectors = ids.replace(name="vectors", default=None, annotation="ArrayLike | None")
    contents = ids.replace(name="contents", default=None, annotation="str | Sequence[str] | None")
    columns = inspect.Parameter("columns", inspect.Parameter.VAR_KEYWORD, annotation="Unpack[ObservationColumns]")
    signature = inspect.signature(function)
    beside = [one for one in signature.parameters.values() if one.kind is inspect.Parameter.KEYWORD_ONLY]
    own = [signature.parameters["self"], ids, vectors, contents, *beside, columns]
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]  # `inspect` reads it.
    return function


def _sorted_arguments(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[bool, Any, dict[str, Any]]:
    """Return whether one observation is meant, its id or the ids of many, None for none, and all else by name."""
    is_one = _means_one(arguments, keywords)
    names = ONE_KEYWORDS if is_one else MANY_KEYWORDS
    given = dict(zip(names, arguments, strict=False))
    if len(arguments) > _ONCE_PLACED or given.keys() & keywords.keys():
        raise _refused(f"an argument is given twice, or more than {_ONCE_PLACED} by place", names, len(arguments))
    if len(arguments) > _PLACED:
        late = ", ".join(names[_PLACED : len(arguments)])
        warn_deprecated(f"{late} by place is deprecated; pass by keyword")
    # One id may be given as `ids`, too.
    check_keywords((name for name in keywords if name != "ids"), names)
    given |= keywords
    ids = [given.pop(name) for name in dict.fromkeys((names[0], "ids")) if name in given]
    if len(ids) > 1:
        raise _refused("there are both id and ids; pass one of them", names, len(ids))
    return is_one, ids[0] if ids else None, given


def _means_one(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    ids = arguments[0] if arguments else keywords.get("ids")
    if ids is not None or "id" in keywords:
        return isinstance(ids, str) or "id" in keywords
    if keywords.keys() & _OF_MANY:
        return False
    vector, content = (*arguments[1:_PLACED], None, None)[:2]
    if content is not None:
        return isinstance(content, str)
    if isinstance(vector, list | tuple):
        return bool(vector) and is_real(vector[0])
    # The arrays of all libraries know their dimensions; what is no array is refused as the vector of one.
    return bool(vector is None or getattr(vector, "ndim", 1) == 1)


def _observations(
    is_one: bool, ids: Any, given: dict[str, Any], *, blank: str | None = "", is_made: bool = False
) -> OneObservation | ManyObservations:
    """Return what the arguments are; `blank` stands for the text of one observation that is not given at all."""
    if is_one:
        vector, content = given.pop("vector", None), given.pop("content", blank)
        return OneObservation(ids, vector, content, cast("ObservationFields", given), is_made)
    vectors, contents = given.pop("vectors", None), given.pop("contents", None)
    return ManyObservations(ids, vectors, contents, cast("ObservationColumns", given), is_made)


def _count_of(given: dict[str, Any]) -> int:
    """Return how many observations there are; the texts, which perhaps can be counted only once, become a list."""
    rows = given.get("vectors")
    if given.get("contents") is not None:
        rows = given["contents"] = as_whole_list("contents", given["contents"], '["a text"]')
    if rows is None:
        raise _refused("without ids, vectors or contents tell how many observations there are", MANY_KEYWORDS, None)
    try:
        return len(rows)
    except TypeError:
        # What has no length is no list of vectors, and is refused as such when it is converted.
        return 0


def _vectors_of(batch: ObservationBatch) -> NDArray[np.float32] | list[NDArray[np.float32] | None] | None:
    if batch.vector_presence is None:
        return batch.vectors if has_vectors(batch) else None
    return [vector if has else None for vector, has in zip(batch.vectors, batch.vector_presence.tolist(), strict=True)]


def _refused(message: str, names: Sequence[str], value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_arguments", field=names[0], limit=", ".join(names), value=value)
