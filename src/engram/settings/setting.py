"""The description of a setting, which is part of the field that holds its default.

    tail_count_max: int = setting(250_000, group="Limits", low=1)

A setting has the type of its default. Its help is the entry of the field in the docstring of the class, so that the
reference of the library and the help of the command line say the same. `check_settings` holds a constructor to it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Final, Protocol, TypeVar, cast

T = TypeVar("T")

_METADATA_KEY: Final = "engram.setting"
# A section of a docstring ends where the next one, which is underlined, begins. The text of an entry is indented.
_PARAMETERS: Final = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY: Final = re.compile(r"^(\w[\w, ]*)\n((?: +.*\n?|\n)+)", re.MULTILINE)


class OptionsClass(Protocol):
    """A dataclass, some of whose fields are settings."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known about one setting.

    Parameters
    ----------
    default
        The default. Values have its type: `bool`, `int`, `float`, `str`, `Path`, or a `tuple` of `int`.
    key
        Name in the file, in the environment and on the command line.
    group
        Heading below which the help and the documentation list the setting. A setting without a group is for programs
        only: no file, variable or option can set it.
    help
        Sentences that explain the setting.
    unit
        What a number counts, such as ``"seconds"``; ``""`` where the help says it.
    metavar
        Placeholder of the value in the help of the command line.
    low, above, high
        Least value; number that the value must exceed; greatest value. None: no such bound. Each applies to every
        number of a tuple.
    choices
        The only texts that are accepted; empty for any.
    code
        Code of the error that a constructor raises.
    """

    default: object
    key: str = ""
    group: str = ""
    help: str = ""
    unit: str = ""
    metavar: str = ""
    low: float | None = None
    above: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    code: str = "invalid_option"

    @property
    def allowed(self) -> str:
        """What is accepted, for messages: ``"a whole number from 0 to 65535"``."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        unit = f", in {self.unit}" if self.unit else ""
        example = f", such as {self.shown_default}" if isinstance(self.default, tuple) else ""
        return f"{self._kind()}{self._bounds()}{unit}{example}"

    @property
    def shown_default(self) -> str:
        """The default as one would write it into an environment variable; ``""`` for an empty text."""
        return as_written(self.default)

    def _kind(self) -> str:
        if isinstance(self.default, tuple):
            return f"{len(self.default)} whole numbers"
        if isinstance(self.default, str):
            return "a text" if self.default == "" else "a text that is not empty"
        names = {bool: "true or false", int: "a whole number", float: "a number"}
        return names.get(type(self.default), "a path")

    def _bounds(self) -> str:
        if self.low is not None and self.high is not None:
            return f" from {self.low} to {self.high}"
        if self.low is not None:
            return f" of at least {self.low}"
        return f" above {self.above}" if self.above is not None else ""


def setting(
    default: T,
    *,
    group: str = "",
    key: str = "",
    unit: str = "",
    metavar: str = "",
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    code: str = "invalid_option",
) -> T:
    """Return a dataclass field that is a setting.

    Parameters
    ----------
    default
        The default; it decides the type.
    key
        Name of the setting, if it differs from that of the field.
    group, unit, metavar, low, above, high, choices, code
        See `Setting`.
    """
    described = Setting(default, key, group, "", unit, metavar, low, above, high, choices, code)
    return field(default=default, metadata={_METADATA_KEY: described})


def settings_of(kind: type[OptionsClass]) -> Iterator[tuple[str, Setting]]:
    """Yield the name of the field and the complete description of each setting of a class, without nested classes."""
    helps = _helps(kind)
    for item in fields(kind):
        described = item.metadata.get(_METADATA_KEY)
        if isinstance(described, Setting):
            yield item.name, replace(described, key=described.key or item.name, help=helps.get(item.name, ""))


def nested_options(kind: type[OptionsClass]) -> Iterator[tuple[str, type[OptionsClass]]]:
    """Yield the name and the class of each field whose default is made by another class of options."""
    for item in fields(kind):
        if isinstance(item.default_factory, type) and is_dataclass(item.default_factory):
            yield item.name, item.default_factory


def public_settings(kind: type[OptionsClass]) -> Iterator[Setting]:
    """Yield the settings of a class and of its nested classes that have a group, so that users can set them."""
    yield from (described for _, described in settings_of(kind) if described.group)
    for _, nested in nested_options(kind):
        yield from public_settings(nested)


def assemble(kind: type[T], values: Mapping[str, object], others: Mapping[str, object]) -> T:
    """Return an object of a class of options.

    Parameters
    ----------
    kind
        The class.
    values
        Values of settings by key, also those of nested classes; what is missing has its default.
    others
        Values of fields by name, for the fields that are not settings.

    Raises
    ------
    InvalidInput
        If the class does not accept the values.
    """
    options = cast("type[OptionsClass]", kind)
    arguments = dict(others)
    for name, nested in nested_options(options):
        if name not in others:
            arguments[name] = assemble(nested, values, {})
    for name, described in settings_of(options):
        if described.group and described.key in values and name not in others:
            arguments[name] = values[described.key]
    return kind(**arguments)


def as_written(value: object) -> str:
    """Return a value of a setting as one would write it into an environment variable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _helps(kind: type) -> dict[str, str]:
    """Return the entries of the section "Parameters" of a docstring in NumPy style, each as one line, by name."""
    section = _PARAMETERS.search(inspect.getdoc(kind) or "")
    helps = {}
    for names, text in _ENTRY.findall(section[1] if section else ""):
        line = " ".join(text.split()).replace("``", "`")
        helps.update(dict.fromkeys(names.split(", "), line))
    return helps
