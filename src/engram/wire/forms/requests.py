"""The requests of operations in JSON: one reader for each, made from the fields of the request's class.

An operation that is added to the table can be read at once, unless one of its arguments is of a class that no row of
`_ARGUMENTS` knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast, get_type_hints

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.columns import EMBED
from engram.model.cue import NO_FILTER
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.many.many_query import ManyQuery
from engram.model.observations import ObservationBatch
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.operation import Operation, Request
from engram.model.operations.requests import Recall
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import DEFAULT_SPACE, METRIC_DEFAULT, VECTORS_DEFAULT, SpaceConfig, dimension_of
from engram.model.times import as_time_us
from engram.wire.forms.many import RECALL_MANY_FIELDS, many_query_of
from engram.wire.forms.observations import (
    CONDITION_FIELDS,
    MANY_FIELDS,
    batch_of_columns,
    changes_of_columns,
    conditions_of,
    priority_of,
)
from engram.wire.forms.reader import FormReader, check_known
from engram.wire.forms.recalls import (
    RECALL_FIELDS,
    RECALL_STREAM_FIELDS,
    FilterObject,
    query_of,
    read_filter,
)

R = TypeVar("R")
Arrays = Mapping[str, NDArray[Any]]
_PRIORITY: Final = ("priority", str | UnsetType | None, UNSET)
_ARRAYS: Final = ("arrays", list[tuple[str, str, list[int]]] | UnsetType, UNSET)


class _Argument(NamedTuple):
    """How one argument of a request is read: its fields in JSON, and what makes the argument of them."""

    fields: list[Any]
    read: Callable[[Any, Arrays, str], Any]
    takes_arrays: bool = False


def _batch(form: Any, arrays: Arrays, space: str) -> ObservationBatch:
    return batch_of_columns(form, arrays)


def _changes(form: Any, arrays: Arrays, space: str) -> ObservationChanges:
    return changes_of_columns(form, arrays)


def _expected_generations(form: Any, arrays: Arrays, space: str) -> tuple[int, ...] | None:
    return conditions_of(form, form.ids)


def _query(form: Any, arrays: Arrays, space: str) -> RecallQuery:
    return query_of(form, arrays)


def _many(form: Any, arrays: Arrays, space: str) -> ManyQuery:
    return many_query_of(form, arrays)


def _config(form: Any, arrays: Arrays, space: str) -> SpaceConfig:
    names = ("dimension", "metric", "embedder", "vectors", "ttl_s")
    dimension, metric, embedder, vectors, ttl_s = (_given(getattr(form, name)) for name in names)
    return SpaceConfig(
        space,
        dimension_of(dimension, vectors),
        metric or METRIC_DEFAULT,
        embedder or "",
        VECTORS_DEFAULT if vectors is None else vectors,
        ttl_s,
    )


def _filter(form: Any, arrays: Arrays, space: str) -> Filter | Condition | None:
    given = _given(form.filter)
    return None if given is None else read_filter(given)


def _filter_or_all(form: Any, arrays: Arrays, space: str) -> Filter | Condition:
    given = _filter(form, arrays, space)
    return NO_FILTER if given is None else given


def _snapshot_us(form: Any, arrays: Arrays, space: str) -> int | None:
    moment = _given(form.snapshot_time)
    return None if moment is None else as_time_us(moment, "snapshot_time")


_SETTINGS: Final[list[Any]] = [
    ("dimension", int | UnsetType | None, UNSET),
    ("metric", str | UnsetType | None, UNSET),
    ("embedder", str | UnsetType | None, UNSET),
    ("vectors", str | UnsetType | None, UNSET),
    ("ttl_s", float | UnsetType | None, UNSET),
]
SETTING_TEXTS: Final[dict[str, str]] = {
    "dimension": "Number of numbers in each vector of the space, 1 to 4096; left out or 0 in a space without vectors.",
}
"""What is said about settings of a space that have another name in Python."""

_COLUMNS: Final[list[Any]] = [field for field in MANY_FIELDS if field[0] != "priority"]
_CHANGES: Final[list[Any]] = [field for field in _COLUMNS if field[0] != EMBED]
_FILTER: Final[list[Any]] = [("filter", FilterObject | UnsetType | None, UNSET)]
# By the class of the argument.
_ARGUMENTS: Final[dict[Any, _Argument]] = {
    ObservationBatch: _Argument(_COLUMNS, _batch, takes_arrays=True),
    ObservationChanges: _Argument(_CHANGES, _changes, takes_arrays=True),
    Priority: _Argument([_PRIORITY], lambda form, arrays, space: priority_of(form)),
    RecallQuery: _Argument(RECALL_STREAM_FIELDS, _query, takes_arrays=True),
    ManyQuery: _Argument(RECALL_MANY_FIELDS, _many, takes_arrays=True),
    SpaceConfig: _Argument(_SETTINGS, _config),
    Filter | Condition: _Argument(_FILTER, _filter_or_all),
    Filter | Condition | None: _Argument(_FILTER, _filter),
}


class RequestReader:
    """Reads the requests of one operation.

    Parameters
    ----------
    operation
        The operation.
    beside
        Further fields that the objects may have beside the arguments, as `msgspec.defstruct` takes them.
    """

    def __init__(self, operation: Operation[Any], beside: Sequence[Any] = ()) -> None:
        self.operation: Final = operation
        self._make = operation.request
        self._arguments = _arguments(operation.request)
        self._has_space = any(field.name == "space" for field in dataclasses.fields(cast("Any", operation.request)))
        self._takes_arrays = any(argument.takes_arrays for _, argument in self._arguments)
        # What takes none may all the same come as a frame, which may be larger than a text.
        fields = [*(field for _, argument in self._arguments for field in argument.fields), _ARRAYS]
        form = msgspec.defstruct(f"_{operation.name}", [*beside, *fields], forbid_unknown_fields=True, kw_only=True)
        self._form = FormReader(form, f"the request of {operation.name}")

    @property
    def form(self) -> type[Struct]:
        """Class of the JSON objects, from which their JSON Schema can be made."""
        return self._form.form

    @property
    def takes_vector(self) -> bool:
        """Whether the objects may have one vector."""
        return "vector" in self.form.__struct_fields__

    def read(
        self,
        text: bytes,
        space: str = "",
        arrays: Arrays | None = None,
        *,
        vector: NDArray[np.float32] | None = None,
    ) -> Request[Any]:
        """Return the request in a JSON object.

        Parameters
        ----------
        text
            The object.
        space
            Name of the space; empty for the default space.
        arrays
            The arguments that came as arrays of a frame; None if the object came by itself.
        vector
            The vector, if it has been read already, and `text` has null in its place.

        Raises
        ------
        InvalidInput
            If it is no request of the operation; the error names the field.
        """
        form: Any = self._form.read(text, is_header=arrays is not None)
        if vector is not None:
            form.vector = vector
        return self._request(form, space, arrays)

    def read_texts(self, texts: Mapping[str, str], space: str = "") -> Request[Any]:
        """Return the request whose arguments are texts, such as those behind the question mark of an address.

        Raises
        ------
        InvalidInput
            If it is no request of the operation; the error names the field.
        """
        check_known(texts, [name for name in self._form.form.__struct_fields__ if name != "arrays"])
        try:
            form = msgspec.convert(dict(texts), self._form.form, strict=False)
        except msgspec.ValidationError as error:
            raise self._form.explained(error) from None
        return self._request(form, space, None)

    def _request(self, form: Struct, space: str, arrays: Arrays | None) -> Request[Any]:
        described = getattr(form, "arrays", UNSET)
        if arrays is None and described is not UNSET:
            raise InvalidInput(
                "only a binary frame has arrays", code="unknown_field", field="arrays", limit="a binary frame"
            )
        if arrays and not self._takes_arrays:
            check_known(arrays, (), "arrays.")
        for name in arrays or ():
            if getattr(form, name, UNSET) is not UNSET:
                raise InvalidInput(
                    f"{name} is a field of the header and an array", code="malformed_message", field=name, limit="one"
                )
        space = space or DEFAULT_SPACE
        given = {name: argument.read(form, arrays or {}, space) for name, argument in self._arguments}
        if self._has_space:
            given["space"] = space
        return self._make(**given)


def _arguments(request: type[Request[Any]]) -> tuple[tuple[str, _Argument], ...]:
    hints = get_type_hints(request)
    fields = dataclasses.fields(cast("Any", request))
    return tuple(
        (field.name, _argument(request, field, hints[field.name])) for field in fields if field.name != "space"
    )


def _argument(request: type[Request[Any]], field: dataclasses.Field[Any], hint: Any) -> _Argument:
    if hint is RecallQuery and request is Recall:
        return _Argument(RECALL_FIELDS, _query, takes_arrays=True)
    if hint in _ARGUMENTS:
        return _ARGUMENTS[hint]
    if field.name == "expected_generations":
        return _Argument(CONDITION_FIELDS, _expected_generations)
    if field.name == "snapshot_us":
        return _Argument([("snapshot_time", float | int | str | UnsetType | None, UNSET)], _snapshot_us)
    if field.default is dataclasses.MISSING:
        return _Argument([(field.name, hint)], lambda form, arrays, space: getattr(form, field.name))

    def read(form: Any, arrays: Arrays, space: str) -> Any:
        value = _given(getattr(form, field.name))
        return field.default if value is None else value

    return _Argument([(field.name, hint | UnsetType | None, UNSET)], read)


def _given(value: Any) -> Any:
    return None if value is UNSET else value
