"""``engram serve``: run a server."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.files.given_path import GivenPath
from engram.cli.setting_options import GroupedCommand, setting_options
from engram.config import ServeSettings, Settings
from engram.lifecycle.stop_signals import EndSignals
from engram.logs.setup import set_up_logging
from engram.model.spaces import DEFAULT_SPACE, SpaceConfig
from engram.tracing.export import exported


@click.command(cls=GroupedCommand)
@click.option("--memory", is_flag=True, help="Keep everything in memory only, for trials.")
@click.option(
    "--port-file",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File that the ports are written to once the server is ready: that of gRPC, then that of HTTP.",
)
@setting_options("server")
@pass_cli
def serve(cli: CliContext, /, *, memory: bool, port_file: Path | None, **given: object) -> None:
    """Run a server until it is interrupted. No acknowledged observation is ever lost.

    SIGTERM, SIGINT (Ctrl-C) and SIGHUP shut the server down in order. The third signal ends it at once, without
    checkpoints.

    The options under the headings after "Options" are settings. A setting can also stand in the section [server] of the
    file engram.toml, as in port = 50052, or in the environment, as in ENGRAM_SERVER_PORT=50052. An option overrides the
    environment, and the environment overrides the file.

    \b
    Examples:
      engram serve
      engram serve --data ./memories --dim 384 --embedder lexical
      engram serve --memory --port 0 --http-port 0 --port-file ports.txt
      engram serve --no-http
      ENGRAM_SERVER_PORT=50052 engram serve
    """
    if memory and given["data"] is not None:
        raise click.UsageError("--memory and --data exclude each other.")
    if port_file is not None and not port_file.absolute().parent.is_dir():
        raise click.UsageError(f"--port-file {port_file}: there is no directory {port_file.parent}")
    settings = cli.settings({f"server.{key}": value for key, value in given.items()})
    _serve(settings, settings.of(ServeSettings), memory, port_file)


def _serve(settings: Settings, own: ServeSettings, memory: bool, port_file: Path | None) -> None:
    # These imports are slow, and other commands and --help do not need them.
    from engram.server import ServerOptions, serve, tune_allocator  # noqa: PLC0415 - see above.

    data = None if memory else own.data
    dim = 0 if own.vectors == "none" else own.dim
    options = settings.of(
        ServerOptions,
        data=data,
        port_file=port_file,
        default_space=SpaceConfig(DEFAULT_SPACE, dim, own.metric, own.embedder, own.vectors, own.ttl_s or None),
        ready=lambda address: _say_ready(address, data),
        http_ready=_say_http_ready,
        http_required=not {"http", "http_port"}.isdisjoint(settings.given["server"]),
    )
    # This may replace the process by itself, so it comes after all checks of the options and settings.
    with EndSignals.of_process().held():
        tune_allocator()
    set_up_logging(own.log_level, own.log_format)
    with exported(own.traces):
        serve(options)


def _say_ready(address: str, data: Path | None) -> None:
    where = "in memory only" if data is None else f"data in {data}"
    click.echo(f"Engram is ready at {address} ({where}); Ctrl-C ends it.")


def _say_http_ready(address: str) -> None:
    click.echo(f"Engram answers HTTP at {address}/")
