"""``engram repair``: make a new data directory from the sound part of a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.directory_command import EXIT_DAMAGED, EXIT_SOUND, DirectoryCommand, Outcome, concluded
from engram.cli.files.given_path import GivenPath
from engram.cli.tables import count_text
from engram.maintenance.progress import OnProgress
from engram.maintenance.repairs.repair import REPORT, RepairOptions
from engram.maintenance.repairs.repair import repair as repair_directory
from engram.maintenance.repairs.report import RepairedSpace, RepairReport
from engram.maintenance.repairs.set_aside import DIRECTORY
from engram.model.spaces import METRICS, Metric

_SHOWN_MAX: Final = 10


@click.command(cls=DirectoryCommand)
@click.argument("directory", type=GivenPath(path_type=Path, file_okay=False), metavar="DIR")
@click.argument("new_directory", type=GivenPath(path_type=Path), metavar="NEW_DIR")
@click.option("--metric", type=click.Choice(METRICS), help="Metric for spaces whose description is lost.")
@click.option("--embedder", default="", help='Embedder for spaces whose description is lost, such as "lexical".')
@click.option(
    "--keep-unproven",
    is_flag=True,
    help="Keep the newest readable version of an id even if a newer one may be lost.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@pass_cli
def repair(
    cli: CliContext,
    *,
    directory: Path,
    new_directory: Path,
    metric: str | None,
    embedder: str,
    keep_unproven: bool,
    as_json: bool,
) -> int:
    """Create the data directory NEW_DIR from everything sound in DIR. DIR is not changed.

    NEW_DIR must be empty or not exist. Observations that are kept keep their generations. Lost ones are listed by
    generation, and by id where the id can be read. An observation is set aside if a newer version of its id may be
    lost: it goes to a file that engram ingest can read. Sessions of DIR cannot be resumed in NEW_DIR.

    \b
    Exit codes:
      0  nothing is lost
      1  something is lost or set aside, or a space could not be repaired
      2  the repair failed: NEW_DIR is not empty, a disk fails or is full, or a newer Engram wrote DIR
      3  a process has DIR open for writing

    \b
    Examples:
      engram repair ./memories ./memories-repaired
      engram repair ./memories ./memories-repaired --metric cosine --embedder lexical
    """

    def work(on_progress: OnProgress) -> Outcome:
        options = RepairOptions(cast(Metric | None, metric), embedder, keep_unproven)
        report = repair_directory(directory, new_directory, options=options, on_progress=on_progress)
        return Outcome(report.values(), _lines_of_report(report), EXIT_SOUND if report.is_complete else EXIT_DAMAGED)

    return concluded(cli, as_json, work)


def _lines_of_report(report: RepairReport) -> list[str]:
    lines = [damage.message for damage in report.damages]
    for space in report.spaces:
        lines += _lines_of_space(space)
    lines += [f"space {name} is left behind ({error.code}): {error}" for name, error in report.left_behind.items()]
    end = "Nothing is lost." if report.is_complete else f"All of it is listed in {report.path}/{REPORT}."
    return [*lines, f"{report.path} is a sound data directory. {end}"]


def _lines_of_space(space: RepairedSpace) -> list[str]:
    lines = [f"space {space.name}: kept {count_text(space.kept, 'row')}, up to generation {space.generation:,}"]
    if space.lost:
        lines.append(f"  lost generations: {_some(space.lost, '; ')}")
    if space.lost_ids:
        lines.append(f"  lost ids: {_some([id for id, _ in space.lost_ids], ', ')}")
    if space.is_cut:
        lines.append("  lost at the end: nothing shows how many generations")
    if not space.end_is_proven:
        lines.append("  its description was lost, so nothing shows whether more was lost at the end")
    if space.set_aside:
        file = f"{DIRECTORY}/{space.name}.jsonl"
        aside = f"{count_text(space.set_aside, 'observation')} of {count_text(space.set_aside_ids, 'id')}"
        lines.append(f"  set aside {aside} whose newest state is not proven: {file}")
    return lines


def _some(items: list[Any], separator: str) -> str:
    more = f" and {len(items) - _SHOWN_MAX:,} more" if len(items) > _SHOWN_MAX else ""
    return separator.join(map(str, items[:_SHOWN_MAX])) + more
