"""Settings, read from defaults, a TOML file, environment variables and command-line options.

Each of these sources overrides the ones before it.

    # engram.toml                     # the same as
    [server]
    port = 50052                      # ENGRAM_SERVER_PORT=50052     engram serve --port 50052
    [client]
    address = "localhost:50052"       # ENGRAM_CLIENT_ADDRESS=...    engram status --address localhost:50052

An unknown section or key, or an invalid value, is an error that names its source and what is allowed. Environment
variables that do not start with ENGRAM_SERVER_ or ENGRAM_CLIENT_ are not settings.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from engram.errors import InvalidInput
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import DEFAULT_SPACE, METRICS

FILE_NAME: Final = "engram.toml"
FILE_VARIABLE: Final = "ENGRAM_CONFIG"
_PREFIX: Final = "ENGRAM_"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def _setting(default: Any, help: str, *, low: float | None = None, high: float | None = None, of: Any = ()) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": tuple(of)})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of ``engram serve``; each field is a key of the section ``[server]``."""

    data: Path = _setting(Path("engram-data"), "directory of the store")  # noqa: RUF009 - a Path is immutable.
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(50051, "port of the gRPC endpoint; 0 takes a free one", low=0, high=65535)
    allow_remote: bool = _setting(False, "permit a host that other machines can reach")
    dim: int = _setting(
        DIMENSION_DEFAULT, "dimension of the space 'default' if it is new", low=DIMENSION_MIN, high=DIMENSION_MAX
    )
    metric: str = _setting("cosine", "metric of the space 'default' if it is new", of=METRICS)
    embedder: str = _setting("", "embedder of the space 'default' if it is new; empty for none")
    sessions_max: int = _setting(10_000, "sessions kept at most", low=1)
    session_idle_s: float = _setting(300.0, "a session expires when its client is silent for so long", low=1)
    workers: int = _setting(0, "index workers; 0 for one per core", low=0, high=16)
    steal_threshold: int = _setting(100, "an idle index worker helps where more observations wait", low=0)
    tail_count_max: int = _setting(250_000, "observations of a space that may wait to be indexed", low=1)
    tail_bytes_max: int = _setting(1 << 30, "bytes of their vectors", low=1)
    pressure_enter: str = _setting("50/80/95", "percent at which pressure is warning, critical, overloaded")
    pressure_leave: str = _setting("40/70/90", "percent below which it no longer is")
    memory_bytes_max: int = _setting(0, "memory of all indexes and queues; 0: three quarters of the machine's", low=0)
    disk_free_bytes_min: int = _setting(256 << 20, "what stays free on the disk", low=1)
    recall_threads: int = _setting(4, "recalls that run at the same time", low=1, high=256)
    retained_count: int = _setting(0, "how many generations recalls may go back; 0 for all", low=0)
    retained_s: float = _setting(0.0, "how many seconds recalls may go back; 0 for no limit", low=0)
    grace_s: float = _setting(10.0, "how long calls may take to end when the server stops", low=0)
    log_level: str = _setting("info", "what to log", of=("debug", "info", "warning", "error"))


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Settings of commands that call a server; each field is a key of the section ``[client]``."""

    address: str = _setting("127.0.0.1:50051", "host:port of the server")
    space: str = _setting(DEFAULT_SPACE, "memory space")
    timeout_s: float = _setting(10.0, "how long a single call may take", low=0.001)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; each field is one section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    client: ClientSettings = field(default_factory=ClientSettings)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value and the source that it comes from."""

    section: str
    key: str
    value: Any
    source: str
    is_text: bool = False


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Load the settings from all sources.

    Parameters
    ----------
    path
        The TOML file. Default: the file that ``$ENGRAM_CONFIG`` names, else ``engram.toml`` in the working directory
        if it exists.
    environ
        The environment variables; default: those of the process.
    flags
        Command-line options as ``"section.key": value``; a value of None means that the option was not given.

    Raises
    ------
    InvalidInput
        If the file cannot be read, a section or key is unknown, or a value is invalid. The message names the file or
        variable, the key and what is allowed.
    """
    environ = os.environ if environ is None else environ
    given = [*_from_file(path, environ), *_from_environment(environ), *_from_flags(flags or {})]
    values: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for item in given:
        values[item.section][item.key] = _convert(item)
    return Settings(ServerSettings(**values["server"]), ClientSettings(**values["client"]))


_SECTIONS: Final[Mapping[str, Any]] = {"server": ServerSettings, "client": ClientSettings}


def describe_settings() -> Iterator[tuple[str, str, str]]:
    """Yield ``section.key``, the environment variable and the help text of each setting, for the documentation."""
    for section, kind in _SECTIONS.items():
        for item in fields(kind):
            yield f"{section}.{item.name}", _variable(section, item.name), item.metadata["help"]


def _from_file(path: Path | None, environ: Mapping[str, str]) -> Iterator[_Given]:
    if path is None and environ.get(FILE_VARIABLE):
        path = Path(environ[FILE_VARIABLE])
    if path is None:
        path = Path(FILE_NAME)
        if not path.exists():
            return
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _bad(f"cannot read the configuration {path}: {reason}", "unreadable_config", str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise _bad(f"the configuration {path} is not valid TOML: {error}", "invalid_toml", str(path)) from error
    for section, table in document.items():
        if section not in _SECTIONS or not isinstance(table, dict):
            raise _unknown(f"file {path}", f"[{section}]", [f"[{name}]" for name in _SECTIONS])
        for key, value in table.items():
            _check_key(section, key, f"file {path}, section [{section}]", key, "{}")
            yield _Given(section, key, value, f"file {path}, key {section}.{key}")


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    for name, value in sorted(environ.items()):
        section, _, key = name.removeprefix(_PREFIX).lower().partition("_")
        # Other variables that start with ENGRAM_ may belong to another program, so they are not an error.
        if name.startswith(_PREFIX) and section in _SECTIONS and key:
            _check_key(section, key, "environment", name, f"{_PREFIX}{section.upper()}_{{}}")
            yield _Given(section, key, value, f"variable {name}", is_text=True)


def _from_flags(flags: Mapping[str, Any]) -> Iterator[_Given]:
    for name, value in flags.items():
        if value is not None:
            section, _, key = name.partition(".")
            yield _Given(section, key, value, f"option --{key.replace('_', '-')}")


def _check_key(section: str, key: str, source: str, shown: str, pattern: str) -> None:
    names = [item.name for item in fields(_SECTIONS[section])]
    if key not in names:
        upper = pattern.startswith(_PREFIX)
        raise _unknown(source, shown, [pattern.format(name.upper() if upper else name) for name in names])


def _convert(item: _Given) -> Any:
    kind = _SECTIONS[item.section]
    wanted = get_type_hints(kind)[item.key]
    metadata = next(each.metadata for each in fields(kind) if each.name == item.key)
    value = _as_type(item.value, wanted, item.is_text)
    if value is None or not _is_allowed(value, metadata):
        allowed = _allowed(wanted, metadata)
        raise InvalidInput(
            f"{item.source}: {item.value!r} is not allowed; it must be {allowed} ({metadata['help']})",
            code="invalid_setting",
            field=f"{item.section}.{item.key}",
            limit=allowed,
            value=item.value,
        )
    return value


def _as_type(value: Any, wanted: type, is_text: bool) -> Any:
    """Return `value` as an object of type `wanted`, or None if it cannot be converted."""
    if is_text and wanted is bool:
        return True if value.lower() in _TRUE else False if value.lower() in _FALSE else None
    if is_text and wanted in (int, float):
        try:
            return wanted(value)
        except ValueError:
            return None
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is Path and isinstance(value, str | Path):
        return Path(value).expanduser() if str(value) else None
    return value if type(value) is wanted else None


def _is_allowed(value: Any, metadata: Mapping[str, Any]) -> bool:
    if metadata["choices"]:
        return value in metadata["choices"]
    if isinstance(value, float) and not math.isfinite(value):
        return False
    low, high = metadata["low"], metadata["high"]
    return (low is None or value >= low) and (high is None or value <= high)


def _allowed(wanted: type, metadata: Mapping[str, Any]) -> str:
    if metadata["choices"]:
        return "one of " + ", ".join(metadata["choices"])
    name = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path", str: "a text"}[wanted]
    low, high = metadata["low"], metadata["high"]
    if low is not None and high is not None:
        return f"{name} from {low} to {high}"
    return f"{name} of at least {low}" if low is not None else name


def _variable(section: str, key: str) -> str:
    return f"{_PREFIX}{section.upper()}_{key.upper()}"


def _unknown(source: str, name: str, allowed: list[str]) -> InvalidInput:
    near = difflib.get_close_matches(name, allowed, 1)
    guess = f"; did you mean {near[0]}?" if near else "."
    known = ", ".join(allowed)
    return _bad(f"{source}: there is no {name}{guess} Known are: {known}", "unknown_setting", name, known)


def _bad(message: str, code: str, name: str, limit: str = "") -> InvalidInput:
    return InvalidInput(message, code=code, field=name, limit=limit)
