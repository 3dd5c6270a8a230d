"""``engram serve``: run a server."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import click

from engram.cli.context import CliContext, pass_cli
from engram.config import ServerSettings
from engram.lifecycle.stop_signals import EndSignals
from engram.model.spaces import DEFAULT_SPACE, METRICS, Metric, SpaceConfig


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory of the store, created if need be [default: engram-data].",
)
@click.option("--memory", is_flag=True, help="Keep everything in memory only, to try things out.")
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=int, help="Port of the gRPC endpoint; 0 takes a free one [default: 50051].")
@click.option("--allow-remote", is_flag=True, default=None, help="Permit a host that other machines can reach.")
@click.option(
    "--port-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the port once the server is ready.",
)
@click.option("--dim", type=int, help="Dimension of the space 'default' if it is new [default: 768].")
@click.option("--metric", type=click.Choice(METRICS), help="Its metric [default: cosine].")
@click.option("--embedder", help='What makes vectors of texts in it, such as "lexical" [default: none].')
@click.option("--workers", type=int, help="Index workers, at most 16; 0 for one per core [default: 0].")
@click.option(
    "--tail-count-max", type=int, help="Observations of a space that may wait to be indexed [default: 250000]."
)
@click.option("--pressure-enter", metavar="W/C/O", help="Percent where pressure levels begin [default: 50/80/95].")
@click.option("--pressure-leave", metavar="W/C/O", help="Percent below which they end [default: 40/70/90].")
@click.option("--memory-bytes-max", type=int, help="Memory of all indexes and queues [default: 3/4 of the machine's].")
@click.option("--disk-free-bytes-min", type=int, help="What stays free on the disk [default: 268435456].")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: info]")
@pass_cli
def serve(
    cli: CliContext,
    *,
    memory: bool,
    port_file: Path | None,
    data: Path | None,
    host: str | None,
    port: int | None,
    allow_remote: bool | None,
    dim: int | None,
    metric: str | None,
    embedder: str | None,
    workers: int | None,
    tail_count_max: int | None,
    pressure_enter: str | None,
    pressure_leave: str | None,
    memory_bytes_max: int | None,
    disk_free_bytes_min: int | None,
    log_level: str | None,
) -> None:
    """Run a server until it is interrupted; nothing acknowledged is ever lost.

    SIGTERM, SIGINT (Ctrl-C) and SIGHUP shut the server down in order. The third signal ends it at once, without
    checkpoints.

    \b
    Examples:
      engram serve
      engram serve --data ./memories --dim 384 --embedder lexical
      engram serve --memory --port 0 --port-file port.txt
      ENGRAM_SERVER_PORT=50052 engram serve
    """
    flags = {
        "data": data,
        "host": host,
        "port": port,
        "allow_remote": allow_remote,
        "dim": dim,
        "metric": metric,
        "embedder": embedder,
        "workers": workers,
        "tail_count_max": tail_count_max,
        "pressure_enter": pressure_enter,
        "pressure_leave": pressure_leave,
        "memory_bytes_max": memory_bytes_max,
        "disk_free_bytes_min": disk_free_bytes_min,
        "log_level": log_level,
    }
    if memory and data is not None:
        raise click.UsageError("--memory and --data exclude each other.")
    if port_file is not None and not port_file.absolute().parent.is_dir():
        raise click.UsageError(f"--port-file {port_file}: there is no directory {port_file.parent}")
    settings = cli.settings({f"server.{name}": value for name, value in flags.items()}).server
    _serve(settings, None if memory else settings.data, port_file)


def _serve(settings: ServerSettings, data: Path | None, port_file: Path | None) -> None:
    # These imports are slow, and other commands and --help do not need them.
    from engram.server import ServerOptions, memory_budget_bytes, serve, tune_allocator  # noqa: PLC0415 - slow.
    from engram.store.options import StoreOptions  # noqa: PLC0415 - see above.
    from engram.streaming.pressure.levels import Thresholds  # noqa: PLC0415 - see above.

    options = ServerOptions(
        data=data,
        host=settings.host,
        port=settings.port,
        port_file=port_file,
        allow_remote=settings.allow_remote,
        default_space=SpaceConfig(DEFAULT_SPACE, settings.dim, cast(Metric, settings.metric), settings.embedder),
        ready=lambda address: _say_ready(address, data),
        store=StoreOptions(
            workers=settings.workers,
            steal_threshold=settings.steal_threshold,
            tail_count_max=settings.tail_count_max,
            tail_bytes_max=settings.tail_bytes_max,
            retained_count=settings.retained_count,
            retained_s=settings.retained_s,
        ),
        thresholds=Thresholds.parse(settings.pressure_enter, settings.pressure_leave),
        memory_bytes_max=settings.memory_bytes_max or memory_budget_bytes(),
        disk_free_bytes_min=settings.disk_free_bytes_min,
        sessions_max=settings.sessions_max,
        session_idle_s_max=settings.session_idle_s,
        recall_threads=settings.recall_threads,
        grace_s=settings.grace_s,
    )
    # This may replace the process by itself, so it comes after all checks of the options and settings.
    with EndSignals.of_process().held():
        tune_allocator()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(options)


def _say_ready(address: str, data: Path | None) -> None:
    where = "in memory only" if data is None else f"data in {data}"
    click.echo(f"Engram is ready at {address} ({where}); Ctrl-C ends it.")
