"""The group of all commands. A new one needs a module in one of the folders of `engram.cli`, and an entry here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from engram import __version__
from engram.cli.commands.backup import backup, restore
from engram.cli.commands.compact import compact
from engram.cli.commands.delete import delete
from engram.cli.commands.demo import demo
from engram.cli.commands.doctor import doctor
from engram.cli.commands.erase import erase
from engram.cli.commands.ingest import ingest
from engram.cli.commands.repair import repair
from engram.cli.commands.serve import serve
from engram.cli.commands.spaces import spaces
from engram.cli.commands.status import status
from engram.cli.commands.top import top
from engram.cli.commands.update import update
from engram.cli.commands.verify import verify
from engram.cli.context import CliContext
from engram.cli.files.given_path import GivenPath
from engram.cli.naming.alias import alias
from engram.cli.naming.drop import drop
from engram.cli.naming.rename import rename
from engram.cli.queries.count import count
from engram.cli.queries.facets import facets
from engram.cli.queries.follow import follow
from engram.cli.queries.get import get
from engram.cli.queries.recall import recall
from engram.cli.queries.scan import scan


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="engram")
@click.option(
    "--config",
    type=GivenPath(path_type=Path),
    metavar="FILE",
    help="Settings file [default: engram.toml in the working directory, if it exists].",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def app(context: click.Context, config: Path | None, debug: bool) -> None:
    """Engram, a streaming memory engine: an acknowledged observation is durable and can be recalled at once.

    \b
    Start here:
      engram demo                         watch Engram survive a crash, in half a minute
      engram serve --data ./memories      run a server
      engram ingest notes.jsonl --space notes --create --embedder lexical
      engram recall "a warm drink" --space notes
    """
    context.obj = CliContext(config, debug)


_READING: Final = (recall, follow, count, scan, get, facets)
_WRITING: Final = (ingest, update, delete, erase)
_NAMING: Final = (drop, rename, alias)
for command in (
    *(serve, demo, *_WRITING, *_READING, spaces, *_NAMING, status, top),
    *(doctor, verify, repair, compact, backup, restore),
):
    app.add_command(command)
