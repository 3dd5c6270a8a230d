"""``engram backup`` and ``engram restore``: copy a data directory, and make a data directory from a copy."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.directory_command import EXIT_DAMAGED, EXIT_SOUND, DirectoryCommand, Outcome, concluded
from engram.cli.files.given_path import GivenPath
from engram.cli.tables import nbytes_text
from engram.maintenance.backups.backup import BackupReport
from engram.maintenance.backups.backup import backup as back_up_directory
from engram.maintenance.backups.restore import RestoreReport
from engram.maintenance.backups.restore import restore as restore_directory
from engram.maintenance.progress import OnProgress


@click.command(cls=DirectoryCommand)
@click.argument("directory", type=GivenPath(path_type=Path, file_okay=False), metavar="DIR")
@click.argument("destination", type=GivenPath(path_type=Path), metavar="DEST")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@pass_cli
def backup(cli: CliContext, *, directory: Path, destination: Path, as_json: bool) -> int:
    """Copy the data directory DIR to DEST. A process may write to DIR meanwhile.

    DEST must be new, empty, or an earlier backup of the same store; to an earlier backup, only new data is added. Each
    space is copied as of one generation, and every byte of the copy is read back and checked. An interrupted backup
    leaves the earlier one unchanged. A damaged space is not copied; its copy in an earlier backup stays.

    \b
    Exit codes:
      0  all spaces are backed up
      1  a space is damaged and not backed up
      2  the backup failed: DEST holds something else, a disk fails or is full, or a newer Engram wrote DIR
      3  another backup to DEST is running

    \b
    Examples:
      engram backup ./memories /mnt/backup/memories
      engram backup ./memories /mnt/backup/memories --json
    """

    def work(on_progress: OnProgress) -> Outcome:
        report = back_up_directory(directory, destination, on_progress=on_progress)
        return Outcome(report.values(), _lines_of_backup(report), EXIT_SOUND if report.is_complete else EXIT_DAMAGED)

    return concluded(cli, as_json, work)


@click.command(cls=DirectoryCommand)
@click.argument("source", type=GivenPath(path_type=Path), metavar="BACKUP")
@click.argument("new_directory", type=GivenPath(path_type=Path), metavar="NEW_DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@pass_cli
def restore(cli: CliContext, *, source: Path, new_directory: Path, as_json: bool) -> int:
    """Create the data directory NEW_DIR from BACKUP, and check every byte of NEW_DIR.

    NEW_DIR must be empty or not exist. If NEW_DIR holds a store with newer data than BACKUP, the error says so.
    Sessions that continued after the backup cannot be resumed in NEW_DIR.

    \b
    Exit codes:
      0  everything is restored
      2  the restore failed: NEW_DIR is not empty, the backup is damaged, or a disk fails or is full
      3  another process is writing NEW_DIR or the backup

    \b
    Examples:
      engram restore /mnt/backup/memories ./memories
    """

    def work(on_progress: OnProgress) -> Outcome:
        report = restore_directory(source, new_directory, on_progress=on_progress)
        return Outcome(report.values(), _lines_of_restore(report), EXIT_SOUND)

    return concluded(cli, as_json, work)


def _lines_of_restore(report: RestoreReport) -> list[str]:
    lines = [f"space {name}: restored as of generation {generation:,}" for name, generation in report.spaces.items()]
    return [*lines, f"{report.path} is restored and checked."]


def _lines_of_backup(report: BackupReport) -> list[str]:
    lines = [f"space {name}: backed up as of generation {space.generation:,}" for name, space in report.spaces.items()]
    lines += [f"space {name} is not backed up ({error.code}): {error}" for name, error in report.refused.items()]
    for name, space in report.kept.items():
        lines.append(f"space {name}: still there as of generation {space.generation:,}, from an earlier backup")
    lines += [damage.message for damage in report.damages if damage.space not in report.refused]
    copied, kept = nbytes_text(report.copied_bytes), nbytes_text(report.kept_bytes)
    return [*lines, f"{report.path}: {copied} copied, {kept} were there; all of it was read again and is sound."]
