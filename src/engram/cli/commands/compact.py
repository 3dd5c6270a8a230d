"""``engram compact``: give the disk back what the spaces of a data directory no longer retain."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.directory_command import EXIT_DAMAGED, EXIT_SOUND, DirectoryCommand, Outcome, concluded
from engram.cli.files.given_path import GivenPath
from engram.cli.tables import nbytes_text
from engram.errors import StoreLocked
from engram.maintenance.compact import CompactReport
from engram.maintenance.compact import compact as compact_directory
from engram.maintenance.progress import OnProgress
from engram.model.values.retention_policy import RetentionPolicy


@click.command(cls=DirectoryCommand)
@click.argument("directory", type=GivenPath(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--space", "spaces", multiple=True, metavar="NAME", help="Compact only this space; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say about how much would become free.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@pass_cli
def compact(cli: CliContext, *, directory: Path, spaces: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Drop from the logs of the data directory DIR what its spaces no longer retain.

    A server does this by itself while it runs; this is for a directory that is not in use. What a space retains is
    recorded with it: 24 hours of history when it was made by this version, everything when it is from before. The
    segment of each space that was written to last is never compacted.

    \b
    Exit codes:
      0  done
      1  a space could not be compacted
      2  it failed: no such directory or space, or DIR cannot be read
      3  a process has DIR open

    \b
    Examples:
      engram compact ./memories --dry-run
      engram compact ./memories --space notes
    """

    def work(on_progress: OnProgress) -> Outcome:
        try:
            report = compact_directory(directory, spaces=spaces, is_dry=dry_run, on_progress=on_progress)
        except StoreLocked as error:
            hint = "it compacts its logs by itself"
            raise StoreLocked(f"{error.message}: {hint}", code=error.code, field=error.field) from error
        return Outcome(report.values(), _lines(report), EXIT_DAMAGED if report.failed else EXIT_SOUND)

    return concluded(cli, as_json, work)


def _lines(report: CompactReport) -> list[str]:
    lines = []
    for space in report.spaces:
        freed = f"about {nbytes_text(space.freed_bytes)} would become free" if report.is_dry else ""
        lines.append(
            f"space {space.name}: {nbytes_text(space.log_bytes)} of log, "
            f"{freed or nbytes_text(space.freed_bytes) + ' freed'}; it retains {_retained(space.retention)}"
        )
    lines += [f"space {name} was not compacted ({error.code}): {error}" for name, error in report.failed.items()]
    return lines


def _retained(policy: RetentionPolicy) -> str:
    if policy.is_unlimited:
        return "everything"
    limits = []
    if policy.history_s is not None:
        limits.append(f"{policy.history_s:,.0f} s of history")
    if policy.dead_count is not None:
        limits.append(f"no more dead versions than live ones and {policy.dead_count:,}")
    return ", and ".join(limits)
