"""``engram verify``: check a data directory."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.directory_command import EXIT_DAMAGED, EXIT_FAILED, EXIT_SOUND, DirectoryCommand, Outcome, concluded
from engram.cli.files.given_path import GivenPath
from engram.cli.files.receipt import read_receipt
from engram.cli.tables import nbytes_text
from engram.errors import StoreLocked
from engram.maintenance.progress import OnProgress
from engram.maintenance.verify import Verdict
from engram.maintenance.verify import verify as verify_directory
from engram.model.operations.erasure_receipt import ErasureReceipt

# More names of spaces say less than their number.
_NAMES_SHOWN_MAX = 4


@click.command(cls=DirectoryCommand)
@click.argument("directory", type=GivenPath(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--space", "spaces", multiple=True, metavar="NAME", help="Check only this space; may be repeated.")
@click.option(
    "--erased", multiple=True, metavar="ID", help="Look for all that the logs have of this erased id; may be repeated."
)
@click.option(
    "--receipt",
    "files",
    multiple=True,
    type=GivenPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Look for what is left of what this receipt of an erasure names, up to its generation; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@pass_cli
def verify(
    cli: CliContext,
    *,
    directory: Path,
    spaces: tuple[str, ...],
    erased: tuple[str, ...],
    files: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Read and check every byte of the data directory DIR, and change nothing.

    The check covers the logs, the checkpoints and their graphs, the descriptions of the spaces, and the list of spaces.
    It works on a read-only file system. No process may have DIR open for writing; if one does, take a backup instead,
    which checks everything that it copies.

    A receipt is what 'engram erase --json' prints. What was written under its ids after the erasure is not reported;
    with --erased, all that the logs have of an id is.

    \b
    Exit codes:
      0  everything is sound
      1  something is damaged, a space cannot be opened, or something is left of an erased id
      2  the check failed: no such directory or space, DIR cannot be read, or a newer Engram wrote it
      3  a process has DIR open for writing

    \b
    Examples:
      engram verify ./memories
      engram verify ./memories --space notes --json
      engram verify ./memories --erased note-1
      engram verify ./memories --receipt receipt.json
    """
    receipts = tuple(map(read_receipt, files))

    def work(on_progress: OnProgress) -> Outcome:
        try:
            verdict = verify_directory(
                directory, spaces=spaces, erased=erased, receipts=receipts, on_progress=on_progress
            )
        except StoreLocked as error:
            hint = "it checks what it serves by itself; to check all of it now, take a backup"
            raise StoreLocked(f"{error.message}: {hint}", code=error.code, field=error.field) from error
        lines = _lines(directory, verdict) + _lines_of_erased(erased, receipts, verdict)
        return Outcome({"path": str(directory), **verdict.values()}, lines, _exit_code(verdict))

    return concluded(cli, as_json, work)


def _exit_code(verdict: Verdict) -> int:
    if verdict.is_newer:
        return EXIT_FAILED
    return EXIT_SOUND if verdict.is_sound and not verdict.traces else EXIT_DAMAGED


def _lines_of_erased(erased: tuple[str, ...], receipts: tuple[ErasureReceipt, ...], verdict: Verdict) -> list[str]:
    found = {trace.id for trace in verdict.traces}
    known = "" if verdict.is_sound else ", as far as it can be read"
    lines = [trace.message for trace in verdict.traces]
    for id in dict.fromkeys(erased):
        if id not in found:
            lines.append(f"nothing is left of {id!r} in {_logs_of(verdict)}{known}.")
    for receipt in dict.fromkeys(receipts):
        named = f"what the receipt for space {receipt.space} names (ids: {len(receipt.digests):,})"
        if receipt not in verdict.receipts:
            lines.append(f"{named} was not looked for: the space cannot be opened.")
        elif not verdict.receipts[receipt]:
            until = f"up to generation {receipt.generation:,}"
            lines.append(f"nothing is left of {named} in the log of the space, {until}{known}.")
    return lines


def _logs_of(verdict: Verdict) -> str:
    """Return the logs that were looked at, in words."""
    names = [space.name for space in verdict.spaces]
    if len(names) > _NAMES_SHOWN_MAX:
        return f"the logs of {len(names):,} spaces"
    return f"the log of space {names[0]}" if len(names) == 1 else f"the logs of spaces {', '.join(names) or '(none)'}"


def _lines(directory: Path, verdict: Verdict) -> list[str]:
    lines = []
    for space in verdict.spaces:
        lines.append(
            f"space {space.name}: generation {space.generation:,}, {space.live_count:,} live, "
            f"{nbytes_text(space.log_bytes)} of log"
        )
    lines += [f"space {name} cannot be opened ({error.code}): {error}" for name, error in verdict.unsound.items()]
    lines += [damage.message for damage in verdict.damages]
    if verdict.is_sound:
        lines.append(f"{directory} is sound.")
    elif verdict.is_newer:
        lines.append(f"{directory} could not be checked in full; nothing was found to be damaged.")
    else:
        counts = f"damaged places: {len(verdict.damages):,}, spaces that do not open: {len(verdict.unsound):,}"
        lines.append(f"{directory} is damaged ({counts}). See engram repair --help.")
    return lines
