"""The settings of the command line, from their defaults, a TOML file, environment variables and options.

Each of these sources overrides the ones before it.

    # engram.toml                     # the same as
    [server]
    port = 50052                      # ENGRAM_SERVER_PORT=50052     engram serve --port 50052
    [client]
    address = "localhost:50052"       # ENGRAM_CLIENT_ADDRESS=...    engram status --address localhost:50052

An unknown section or key, or an invalid value, is an error that names its source and what is allowed. Environment
variables that do not start with ENGRAM_SERVER_ or ENGRAM_CLIENT_ are not settings.

Which settings there are follows from the classes in `SECTIONS`: their fields that have a description with a group.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from engram.errors import InvalidInput
from engram.logs.setup import FORMATS, LEVELS
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import DEFAULT_SPACE, METRIC_DEFAULT, METRICS, VECTORS, VECTORS_DEFAULT, Metric, Vectors
from engram.model.values.expiry import TTL_S_MAX
from engram.server.options import ServerOptions
from engram.settings.checks import check_settings
from engram.settings.setting import OptionsClass, Setting, assemble, public_settings, setting
from engram.settings.sources import Given, from_environment, from_file, from_options
from engram.tracing.export import DESTINATIONS

FILE_NAME: Final = "engram.toml"
FILE_VARIABLE: Final = "ENGRAM_CONFIG"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Settings of ``engram serve`` that `ServerOptions` takes in another form, or not at all.

    Parameters
    ----------
    data
        Directory of the store, created if it does not exist.
    dim
        Dimension of the space `default` if the server creates it.
    metric
        Metric of the space `default` if the server creates it: `cosine`, `ip` (inner product) or `l2` (Euclidean).
    embedder
        Embedder of the space `default` if the server creates it, such as `lexical`; empty for none.
    vectors
        Whether each observation of the space `default` has a vector, or some, or none, if the server creates it.
    ttl_s
        Time after which an observation of the space `default` expires that does not say when it does, if the server
        creates the space; 0: never.
    log_level
        Least severe level of messages that are logged, to standard error.
    log_format
        How log lines are written: `console`, for people, or `json`, one object a line.
    traces
        Where spans of OpenTelemetry go: nowhere (`off`), as JSON lines to standard output (`console`), or by OTLP over
        HTTP to a collector (`otlp`). Both need the extra `otel`.
    """

    data: Path = setting(Path("engram-data"), group="Server", metavar="DIR")
    dim: int = setting(DIMENSION_DEFAULT, group="Default space", low=DIMENSION_MIN, high=DIMENSION_MAX)
    metric: Metric = setting(METRIC_DEFAULT, group="Default space", choices=METRICS)
    embedder: str = setting("", group="Default space", metavar="NAME")
    vectors: Vectors = setting(VECTORS_DEFAULT, group="Default space", choices=VECTORS)
    ttl_s: float = setting(0.0, group="Default space", unit="seconds", low=0, high=TTL_S_MAX)
    log_level: str = setting("info", group="Server", choices=LEVELS)
    log_format: str = setting("console", group="Server", choices=FORMATS)
    traces: str = setting("off", group="Server", choices=DESTINATIONS)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Settings of the commands that call a server.

    Parameters
    ----------
    address
        Address of the server: ``http://host:port`` or ``ws://host:port`` for WebSocket, host and port alone for gRPC.
    space
        Memory space.
    timeout_s
        Seconds that a single call may take.
    """

    address: str = setting("http://127.0.0.1:7432", group="Client", metavar="ADDRESS")
    space: str = setting(DEFAULT_SPACE, group="Client", metavar="NAME")
    timeout_s: float = setting(10.0, group="Client", unit="seconds", low=0.001)

    def __post_init__(self) -> None:
        check_settings(self)


SECTIONS: Final[Mapping[str, tuple[type[OptionsClass], ...]]] = {
    "server": (ServeSettings, ServerOptions),
    "client": (ClientSettings,),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that the sources give, all of them checked; what no source gives has its default.

    Parameters
    ----------
    values
        The checked values, by section and key.
    given
        The last source of each of them, by section and key.
    """

    values: Mapping[str, Mapping[str, object]]
    given: Mapping[str, Mapping[str, Given]]

    def of(self, kind: type[T], **others: object) -> T:
        """Return an object of a class of options.

        Parameters
        ----------
        kind
            One of the classes in `SECTIONS`.
        others
            Fields of the class that are not settings.

        Raises
        ------
        InvalidInput
            If values do not fit each other. The error names their sources.
        """
        section = next(name for name, kinds in SECTIONS.items() if kind in kinds)
        try:
            return assemble(kind, self.values[section], others)
        except InvalidInput as error:
            # An error about several settings names what their keys begin with.
            origins = [item.origin() for key, item in self.given[section].items() if key.startswith(error.field)]
            raise InvalidInput(
                f"{' and '.join(origins)}: {error.message}" if origins else error.message,
                code=error.code,
                field=f"{section}.{error.field}",
                limit=error.limit,
                value=error.value,
            ) from error


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
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
        If the file cannot be read, a section or key is unknown, or a value is invalid. The message names the file and
        line, the variable or the option, what is allowed, and the value.
    """
    environ = os.environ if environ is None else environ
    described = describe_settings()
    values: dict[str, dict[str, object]] = {section: {} for section in described}
    given: dict[str, dict[str, Given]] = {section: {} for section in described}
    for item in _given(path, environ, flags or {}, described):
        values[item.section][item.key] = item.checked(described[item.section][item.key])
        given[item.section][item.key] = item
    return Settings(values, given)


def describe_settings() -> dict[str, dict[str, Setting]]:
    """Return the descriptions of all settings by section and key."""
    return {
        section: {described.key: described for kind in kinds for described in public_settings(kind)}
        for section, kinds in SECTIONS.items()
    }


def _given(
    path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    described: Mapping[str, Mapping[str, Setting]],
) -> Iterator[Given]:
    """Yield what the sources give, the strongest source last."""
    if path is None and environ.get(FILE_VARIABLE):
        path = Path(environ[FILE_VARIABLE])
    if path is None and Path(FILE_NAME).exists():
        path = Path(FILE_NAME)
    if path is not None:
        yield from from_file(path, described)
    yield from from_environment(environ, described)
    yield from from_options(flags)
