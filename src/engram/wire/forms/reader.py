"""Readers of JSON objects of a known form: strict, and about as cheap as looking at every byte once."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, Generic, NoReturn, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from engram.errors import InvalidInput
from engram.wire.forms.strict_json import check_json_size, parse_object, refuse

Form = TypeVar("Form", bound=Struct)
# An escape that may stand for a colon, which `FormReader` counts.
_ESCAPE: Final = b"\\u003"
# What msgspec calls the types of JSON, and what people do who do not write Python.
_WORDS: Final = {"float": "number", "int": "whole number", "str": "text", "array": "list", "bool": "true or false"}
_WORD: Final = re.compile(rf"\b({'|'.join(_WORDS)})\b")
_WITHOUT_COLONS: Final = {int, float, bool, type(None), UnsetType}
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)


class FormReader(Generic[Form]):
    """Reads JSON objects of one form.

    Parameters
    ----------
    form
        Class of the objects. Its fields are those that are permitted; those without a default are required.
    what
        Name of the objects in errors, such as ``"the body"``.
    """

    def __init__(self, form: type[Form], what: str) -> None:
        self.form: Final = form
        self._what = what
        self._read = msgspec.json.Decoder(form).decode
        self._read_list: Any = msgspec.json.Decoder(list[form]).decode  # type: ignore[valid-type]

    def read(self, text: bytes, *, is_header: bool = False) -> Form:
        """Return the object in `text`.

        Parameters
        ----------
        text
            The object.
        is_header
            Whether it is the header of a frame, whose size was checked before.

        Raises
        ------
        InvalidInput
            With code ``json_bytes`` if it is too large, ``malformed_message`` for what is no JSON object,
            ``unknown_field``, ``missing_field`` or ``wrong_type``; the error names the field.
        """
        if not is_header:
            check_json_size(text, self._what)
        try:
            form = self._read(text)
            colons = _colons(form)
        except RecursionError:
            refuse(f"{self._what} is nested too deeply", self._what, "a JSON object", f"{len(text)} bytes")
        except ValueError as error:
            self._explain(text, error)
        if text.count(b":") != colons or (b"\\" in text and _ESCAPE in text):
            # msgspec takes the last of two equal keys. Each of them has a colon, so only where there are more of these
            # than the object accounts for can there be such keys.
            parse_object(text, self._what)
        return form

    def read_list(self, text: bytes) -> list[Form] | None:
        """Return the objects in a JSON list, or None if any of them must be looked at by itself, by `read`."""
        try:
            forms: list[Form] = self._read_list(text)
        except (ValueError, RecursionError):
            return None
        is_plain = not (b"\\" in text and _ESCAPE in text) and text.count(b":") == _colons_of_forms(forms)
        return forms if is_plain else None

    def _explain(self, text: bytes, failure: Exception) -> NoReturn:
        value = parse_object(text, self._what)
        check_fields(value, self.form)
        if not isinstance(failure, msgspec.ValidationError):
            refuse(f"{self._what} is no JSON: {failure}", self._what, "a JSON object", f"{len(text)} bytes")
        raise self.explained(failure) from None

    def explained(self, failure: msgspec.ValidationError) -> InvalidInput:
        """Return the error for an object whose fields are known, and of which one is of another type."""
        problem = str(failure)
        place = _PLACE.search(problem)
        field = (place[1] if place is not None else "") or self._what
        problem = _WORD.sub(lambda word: _WORDS[word[0]], problem[: place.start() if place is not None else None])
        wanted, _, got = problem.replace("`", "").partition(", got ")
        return InvalidInput(
            f"{field} is refused: {wanted[:1].lower()}{wanted[1:]}" + (f", not {got}" if got else ""),
            code="wrong_type",
            field=field,
            limit=wanted.removeprefix("Expected "),
            value=got,
        )


def check_fields(value: dict[str, Any], form: type[Struct], place: str = "") -> None:
    """Check that an object has all fields that its form requires, and no other than it knows.

    Parameters
    ----------
    value
        The object.
    form
        The form.
    place
        Where the object is, with a dot behind it; empty for the outermost.

    Raises
    ------
    InvalidInput
        With code ``unknown_field``, naming the nearest known one, or ``missing_field``.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(form)}
    check_known(value, fields, place)
    for name, field in fields.items():
        if field.required and name not in value:
            raise InvalidInput(
                f"the field {place}{name} is missing", code="missing_field", field=f"{place}{name}", limit="required"
            )
        inner = _inner_form(field.type)
        if inner is not None and isinstance(value.get(name), dict):
            check_fields(value[name], inner, f"{place}{name}.")


def check_known(given: Iterable[str], known: Iterable[str], place: str = "") -> None:
    """Check that all of the fields `given` are `known`.

    Raises
    ------
    InvalidInput
        With code ``unknown_field``, naming the first one that is not known and the known one nearest to it.
    """
    names = tuple(known)
    unknown = next((name for name in given if name not in names), None)
    if unknown is None:
        return
    names = tuple(sorted(names))
    nearest = difflib.get_close_matches(unknown, names, 1, cutoff=0.0)
    hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
    shown = unknown[:64].encode("utf-8", "replace").decode()
    raise InvalidInput(
        f"there is no field {place}{shown!r}{hint}",
        code="unknown_field",
        field=f"{place}{shown}",
        limit=", ".join(names) or "no field",
        value=shown,
    )


def _inner_form(annotation: Any) -> type[Struct] | None:
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, Struct)), None)


def _colons(value: Any) -> int:
    """Return how many colons the JSON of a value has at least, if no text in it has escapes."""
    kind = type(value)
    if kind is str:
        return int(value.count(":"))
    if kind is list:
        return _colons_of_list(value)
    if kind is dict:
        return sum(1 + key.count(":") + _colons(inner) for key, inner in value.items())
    if kind is Raw:
        return bytes(value).count(b":")
    return _struct_colons(value) if isinstance(value, Struct) else 0


def _colons_of_list(values: list[Any]) -> int:
    if values and type(values[0]) is tuple:
        # The arrays of a frame; a name with a colon is looked at more closely.
        return 0
    # Columns are long, so those of texts, of objects as they came and of lists of texts are looked at as a whole.
    with contextlib.suppress(TypeError):
        return "".join(values).count(":")
    with contextlib.suppress(TypeError):
        return b"".join(values).count(b":")
    if dict not in set(map(type, values)):
        with contextlib.suppress(TypeError):
            return "".join(chain.from_iterable(filter(None, values))).count(":")
    return sum(map(_colons, values))


def _struct_colons(value: Struct) -> int:
    colons = 0
    numeric = _numeric_fields(type(value))
    for name, inner in zip(value.__struct_fields__, msgspec.structs.astuple(value), strict=True):
        if inner is UNSET:
            continue
        kind = type(inner)
        if kind in _WITHOUT_COLONS:
            colons += 1
            continue
        if kind is Raw and not bytes(inner):
            continue
        # Lists of numbers and nulls are long, and have no colons.
        colons += 1 if kind is list and name in numeric else 1 + _colons(inner)
    return colons


def _colons_of_forms(forms: Sequence[Struct]) -> int:
    """Return how many colons the JSON of objects of one form has at least, as `_colons`, column by column."""
    colons = 0
    for column in zip(*map(msgspec.structs.astuple, forms), strict=True):
        kinds = set(map(type, column))
        if kinds == {UnsetType}:
            continue
        values = [value for value in column if value is not UNSET] if UnsetType in kinds else list(column)
        if kinds == {Raw}:
            values = list(filter(bytes, values))
        colons += len(values)
        if not kinds <= _WITHOUT_COLONS:
            colons += _colons_of_list(values)
    return colons


@cache
def _numeric_fields(form: type[Struct]) -> frozenset[str]:
    """Return the fields of a form whose lists have nothing but numbers and nulls in them."""
    numeric = (list[float], list[list[float]], list[list[float] | None], list[int])
    return frozenset(
        field.name
        for field in msgspec.structs.fields(form)
        if any(each in numeric for each in (field.type, *getattr(field.type, "__args__", ())))
    )
