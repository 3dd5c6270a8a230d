"""The context that all commands share: the settings file and the two consoles."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from engram.config import Settings, load_settings

# Of what is no terminal: whoever reads it can cope with long lines, and not with columns that are cut off.
_PIPE_WIDTH: Final = 160


@dataclass(slots=True)
class CliContext:
    """The settings file and the consoles of one run.

    Results go to `out`; progress and error messages go to `err`, so that results can be piped.
    """

    config: Path | None = None
    debug: bool = False
    out: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False, width=_width()))
    err: Console = field(default_factory=lambda: Console(file=sys.stderr, highlight=False))

    def settings(self, flags: Mapping[str, object] | None = None) -> Settings:
        """Return the settings; `flags` are the options of the command and override all other sources."""
        return load_settings(self.config, flags=flags)

    def print_json(self, value: Any) -> None:
        """Print `value` as one JSON document on standard output."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


pass_cli = click.make_pass_decorator(CliContext, ensure=True)


def _width() -> int | None:
    """Return the width of what is printed; None for that of the terminal, or what the environment says."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
