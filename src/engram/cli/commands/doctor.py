"""``engram doctor``: check the machine that a server is to run on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from engram.cli.context import CliContext, pass_cli
from engram.cli.doctor.examination import examine
from engram.cli.doctor.finding import Finding, Severity
from engram.cli.exit_codes import EXIT_ERROR, EXIT_OK
from engram.cli.setting_options import setting_option
from engram.cli.tables import make_table
from engram.config import ServeSettings
from engram.server.options import ServerOptions

_STYLES: Final = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "bold red"}


@click.command()
@setting_option("server", "data")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def doctor(cli: CliContext, *, data: Path | None, as_json: bool) -> int:
    """Check the machine for a server with these settings, and say what to change.

    The checks are of versions, processors and their features, memory, limits of the process, the allocator, the clock,
    and the disk of the data directory. To measure the disk, a small file is written there and removed again. Run it as
    the user, and in the container, that the server runs in.

    \b
    Exit codes:
      0  nothing keeps a server from running; there may be warnings
      1  there is a problem

    \b
    Examples:
      engram doctor
      engram doctor --data ./memories --json
    """
    settings = cli.settings({"server.data": data})
    own = settings.of(ServeSettings)
    findings = list(examine(own.data, settings.of(ServerOptions, data=own.data)))
    if as_json:
        cli.print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        _print(cli, findings)
    return EXIT_ERROR if any(finding.severity is Severity.PROBLEM for finding in findings) else EXIT_OK


def _print(cli: CliContext, findings: list[Finding]) -> None:
    table = make_table("")
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", ratio=1)
    for finding in findings:
        # Texts of the machine, such as variables, are no markup.
        table.add_row(finding.check, Text(finding.severity, style=_STYLES[finding.severity]), Text(finding.found))
        if finding.advice:
            table.add_row("", "", Text(f"→ {finding.advice}"))
    cli.out.print(table)
