"""``engram ingest``: stream a file into a space."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from engram.cli.context import CliContext, pass_cli
from engram.cli.files.chunk import BadRow, FileChunk, FileSource
from engram.cli.files.given_path import GivenPath
from engram.cli.files.jsonl import FIELDS
from engram.cli.files.npz import ARRAYS
from engram.cli.files.open_file import FORMATS, fingerprint, open_source
from engram.cli.loading import Report, load
from engram.cli.new_space import NewSpaceSink, plan_space
from engram.cli.setting_options import setting_option
from engram.cli.sinks import Sink, open_sink
from engram.cli.target import Target, client_settings, open_target, target_options
from engram.model.limits import BATCH_COUNT_MAX, DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import METRIC_DEFAULT, METRICS, VECTORS, VECTORS_DEFAULT, Metric, SpaceConfig, Vectors

_BAD_ROWS_SHOWN_MAX = 20


_HELP = f"""Store the observations in FILE: JSON Lines, NumPy .npz or Parquet.

\b
JSON Lines and Parquet have the fields
  {", ".join(FIELDS)}
and .npz files the arrays
  {", ".join(ARRAYS)}.
A row without an id gets a new one. A row needs a vector, or a text if the space has an embedder, unless the space takes
rows without vectors. Everything else is optional.

An interrupted run continues where it ended if it is started again with the unchanged file.

\b
Examples:
  engram ingest notes.jsonl --space notes --create --embedder lexical
  engram ingest vectors.npz --space images --create --metric ip
  engram ingest big.parquet --data ./memories --on-error skip --json
"""


@click.command(help=_HELP)
@click.argument("file", type=GivenPath(exists=True, dir_okay=False, path_type=Path))
@setting_option("client", "space")
@click.option("--create", is_flag=True, help="Create the space if it does not exist.")
@click.option(
    "--dim",
    type=click.IntRange(DIMENSION_MIN, DIMENSION_MAX),
    help="Dimension of a space that --create creates [default: the most frequent dimension of the first vectors].",
)
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default=METRIC_DEFAULT,
    show_default=True,
    help="Metric of a space that --create creates.",
)
@click.option(
    "--embedder", default="", help='Embedder of a space that --create creates, such as "lexical" [default: none].'
)
@click.option(
    "--vectors",
    type=click.Choice(VECTORS),
    default=VECTORS_DEFAULT,
    show_default=True,
    help="Whether each row of a space that --create creates has a vector, or some, or none.",
)
@click.option(
    "--ttl",
    type=float,
    metavar="SECONDS",
    help="After how long the rows of a space that --create creates expire, unless they say it [default: never].",
)
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), help="Format of FILE [default: by the ending of its name]."
)
@click.option(
    "--batch",
    "count",
    type=click.IntRange(1, BATCH_COUNT_MAX),
    default=1000,
    show_default=True,
    help="Number of rows that are stored together.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Stop at a row that cannot be stored, or skip the row. Earlier rows are stored in any case.",
)
@click.option("--restart", is_flag=True, help="Store all rows again, even if an earlier run has stored some.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@pass_cli
def ingest(
    cli: CliContext,
    *,
    file: Path,
    space: str | None,
    create: bool,
    dim: int | None,
    metric: str,
    embedder: str,
    vectors: str,
    ttl: float | None,
    kind: str | None,
    count: int,
    on_error: str,
    restart: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Store the observations in a file."""
    source = open_source(file, kind)
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data, create) as target:
        chunks = source.chunks(count)
        session = f"ingest-{uuid.uuid4().hex if restart else fingerprint(file)}"
        # With --create, the space of an earlier run is reused; the first chunk shows whether the rows fit it.
        if create and name not in {existing.name for existing in target.spaces()}:
            rule = cast(Vectors, vectors)
            planned, chunks = plan_space(chunks, name, dim, cast(Metric, metric), embedder, rule)
            config = replace(planned, ttl_s=ttl)
            sink: Sink = NewSpaceSink(config, lambda: _make_space(target, config, session))
        else:
            sink = open_sink(target, name, session)
        if sink.durable_sequence and not as_json:
            cli.err.print(f"Continuing after {sink.durable_sequence:,} rows of an earlier run; --restart stores all.")
        report = Report()
        started_s = time.monotonic()
        try:
            with _progress(cli, source, as_json) as progress:
                load(
                    chunks,
                    sink,
                    report,
                    skip_bad=on_error == "skip",
                    on_bad=lambda row: _show_bad(cli, file, row, report),
                    on_progress=progress.advance_to,
                )
        finally:
            _summarise(cli, file, name, report, time.monotonic() - started_s, as_json)


def _make_space(target: Target, config: SpaceConfig, session: str) -> Sink:
    target.create_space(config.name, config.dim, config.metric, config.embedder, config.vectors, config.ttl_s)
    return open_sink(target, config.name, session)


def _show_bad(cli: CliContext, file: Path, row: BadRow, report: Report) -> None:
    if report.refused <= _BAD_ROWS_SHOWN_MAX:
        cli.err.print(Text(f"{file.name}:{row.number}: {row.reason}", style="yellow"), soft_wrap=True)
    if report.refused == _BAD_ROWS_SHOWN_MAX:
        cli.err.print(Text("further bad rows are only counted", style="yellow"))


class _Rate(ProgressColumn):
    """A progress column with the rows per second."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0
        return Text(f"{task.fields['rows'] / elapsed:,.0f} rows/s" if elapsed > 0 else "")


class _Progress:
    """A progress bar on the error console; hidden if that is not a terminal."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, rows=0)
        self._rows = 0

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance_to(self, chunk: FileChunk) -> None:
        """Move the bar to the end of `chunk`."""
        self._rows += len(chunk.ids)
        self._bar.update(self._task, completed=chunk.position, rows=self._rows)


def _progress(cli: CliContext, source: FileSource, as_json: bool) -> _Progress:
    columns: list[Any] = [
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rows]:,} rows"),
        _Rate(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    ]
    hidden = as_json or not cli.err.is_terminal
    return _Progress(Progress(*columns, console=cli.err, transient=True, disable=hidden), source.total)


def _summarise(cli: CliContext, file: Path, space: str, report: Report, seconds: float, as_json: bool) -> None:
    rate = report.stored / seconds if seconds else 0.0
    if as_json:
        values = {"file": str(file), "space": space, **report.values()}
        cli.print_json({**values, "seconds": round(seconds, 3), "rows_per_s": round(rate)})
        return
    parts = [f"{report.stored:,} rows stored in space {space} in {seconds:.1f} s ({rate:,.0f} rows/s)"]
    if report.resumed:
        parts.append(f"{report.resumed:,} there from an earlier run")
    if report.refused:
        parts.append(f"{report.refused:,} refused")
    if report.generation:
        parts.append(f"the space is at generation {report.generation:,}")
    cli.out.print("; ".join(parts) + ".", soft_wrap=True)
