"""The sources of settings: a TOML file, environment variables and options of the command line."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from engram.errors import InvalidInput
from engram.model.values.scalars import shown
from engram.settings.checks import allowed_instead_of, conform
from engram.settings.setting import Setting

VARIABLE_PREFIX: Final = "ENGRAM_"
_SWITCH: Final = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)

# The settings of each section by key.
Sections = Mapping[str, Mapping[str, Setting]]


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a source gives for a setting.

    Parameters
    ----------
    section, key
        Name of the setting.
    value
        The value as the source has it.
    origin
        Returns where the value stands, for messages. It is only called for a message, because it takes a while to find
        the line of a file.
    is_text
        Whether the source knows only texts, so that ``"1"`` may be a number.
    """

    section: str
    key: str
    value: object
    origin: Callable[[], str]
    is_text: bool = False

    def checked(self, described: Setting) -> object:
        """Return the value in the type of its setting.

        Raises
        ------
        InvalidInput
            If the setting does not accept the value. The error names its origin, what is accepted and the value.
        """
        read = self._read(described.default)
        value = conform(described, read)
        if value is None or (value == "" and described.default != ""):
            allowed = allowed_instead_of(described, read)
            first_sentence = described.help.partition(". ")[0].rstrip(".").replace("`", "'")
            help = f" ({first_sentence})" if first_sentence else ""
            raise InvalidInput(
                f"{self.origin()}: {shown(self.value, with_type=False)} is not allowed; it must be {allowed}{help}",
                code="invalid_setting",
                field=f"{self.section}.{self.key}",
                limit=allowed,
                value=shown(self.value, with_type=False),
            )
        return value

    def _read(self, default: object) -> object:
        """Return the value with a text turned into the type of `default`, or None if that is impossible."""
        if not isinstance(self.value, str):
            return self.value
        read: Callable[[str], object] = str
        if isinstance(default, tuple):
            read = _as_tuple
        elif isinstance(default, Path):
            read = _as_path
        elif self.is_text and isinstance(default, bool):
            read = _as_switch
        elif self.is_text and isinstance(default, int | float):
            read = type(default)
        try:
            return read(self.value)
        except (ValueError, RuntimeError):
            # ValueError: this is not a number. RuntimeError: there is no home directory to expand "~" to.
            return None


def from_file(path: Path, sections: Sections) -> Iterator[Given]:
    """Yield what a TOML file gives.

    Raises
    ------
    InvalidInput
        If the file cannot be read, is not valid TOML, or has a section or key that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInput(
            f"cannot read the configuration {path}: {reason}", code="unreadable_config", field=str(path)
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"the configuration {path} is not valid TOML: {error}", code="invalid_toml", field=str(path)
        ) from error
    for section, table in document.items():
        if section not in sections and isinstance(table, dict):
            raise _unknown(_place(path, text, section), f"[{section}]", [f"[{name}]" for name in sections])
        if not isinstance(table, dict):
            known = " or ".join(f"[{name}]" for name, keys in sections.items() if section in (name, *keys))
            raise InvalidInput(
                f"{_place(path, text, section)}: {section} is not a section; write keys below their section, "
                f"{known or ' or '.join(f'[{name}]' for name in sections)}",
                code="invalid_toml",
                field=section,
                limit="a section",
                value=shown(table, with_type=False),
            )
        for key, value in table.items():
            place = partial(_place, path, text, section, key)
            if key not in sections[section]:
                raise _unknown(f"{place()}, section [{section}]", key, sections[section])
            yield Given(section, key, value, partial(_key_at, place, f"{section}.{key}"))


def from_environment(environ: Mapping[str, str], sections: Sections) -> Iterator[Given]:
    """Yield what environment variables give.

    Raises
    ------
    InvalidInput
        If a variable has the prefix of a section and names no setting of it.
    """
    for name, value in sorted(environ.items()):
        section, _, key = name.removeprefix(VARIABLE_PREFIX).lower().partition("_")
        # Other variables that start with ENGRAM_ may belong to another program, so they are not an error.
        if name.startswith(VARIABLE_PREFIX) and section in sections and key:
            if key not in sections[section]:
                raise _unknown("environment", name, [variable(section, each) for each in sections[section]])
            yield Given(section, key, value, _always(f"variable {name}"), is_text=True)


def from_options(options: Mapping[str, object]) -> Iterator[Given]:
    """Yield what options of the command line give: values by ``"section.key"``; None means not given."""
    for name, value in options.items():
        if value is not None:
            section, _, key = name.partition(".")
            yield Given(section, key, value, _always(f"option {option(key)}"), isinstance(value, str))


def variable(section: str, key: str) -> str:
    """Return the name of the environment variable of a setting."""
    return f"{VARIABLE_PREFIX}{section.upper()}_{key.upper()}"


def option(key: str) -> str:
    """Return the name of the command-line option of a setting."""
    return f"--{key.replace('_', '-')}"


def _as_tuple(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("/")))


def _as_path(text: str) -> Path | None:
    # `Path("")` is the working directory, which an empty text hardly means.
    return Path(text).expanduser() if text else None


def _as_switch(text: str) -> bool | None:
    return _SWITCH.get(text.lower())


def _always(origin: str) -> Callable[[], str]:
    return lambda: origin


def _key_at(place: Callable[[], str], name: str) -> str:
    return f"{place()}, key {name}"


def _place(path: Path, text: str, section: str, key: str | None = None) -> str:
    """Return the file and the line where a section or key of valid TOML is complete.

    The parser does not tell lines. But the first lines of a file, up to one at which they are valid TOML by
    themselves, hold exactly what was defined by then.
    """
    lines = text.split("\n")
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            # These lines end within a value of several lines.
            continue
        if section in document and (key is None or key in document[section]):
            return f"file {path}, line {count}"
    return f"file {path}"


def _unknown(source: str, name: str, known: Collection[str]) -> InvalidInput:
    near = difflib.get_close_matches(name, known, 1)
    guess = f"; did you mean {near[0]}?" if near else "."
    limit = ", ".join(known)
    return InvalidInput(
        f"{source}: there is no {name}{guess} Known are: {limit}", code="unknown_setting", field=name, limit=limit
    )
