"""``engram update``: change fields of observations that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.setting_options import setting_option
from engram.cli.target import client_settings, open_target, target_options


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@setting_option("client", "space")
@click.option("--text", metavar="TEXT", help="The new text; in a space with an embedder, it is embedded again.")
@click.option(
    "--metadata",
    metavar="JSON",
    help="A JSON object whose keys join those that are there; null removes a key.",
)
@click.option("--replace-metadata", is_flag=True, help="Let --metadata take the place of all keys that are there.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A new tag, in place of all tags; may be repeated.")
@click.option("--no-tags", is_flag=True, help="Remove all tags.")
@click.option("--confidence", type=float, metavar="NUMBER", help="The new confidence, from 0 to 1.")
@click.option("--importance", type=float, metavar="NUMBER", help="The new importance, from 0 to 1.")
@click.option("--expires-at", metavar="TIME", help="When they expire, in the form of ISO 8601.")
@click.option("--ttl", type=float, metavar="SECONDS", help="After how many seconds from now on they expire.")
@click.option("--never-expires", is_flag=True, help="Have them never expire.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def update(
    cli: CliContext,
    *,
    ids: tuple[str, ...],
    space: str | None,
    text: str | None,
    metadata: str | None,
    replace_metadata: bool,
    tags: tuple[str, ...],
    no_tags: bool,
    confidence: float | None,
    importance: float | None,
    expires_at: str | None,
    ttl: float | None,
    never_expires: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Change fields of the observations with these IDs, all of them or none. What is not named stays as it is.

    If there are several IDs, each gets the same.

    \b
    Examples:
      engram update note-1 --text "the pump is mended" --space notes
      engram update note-1 note-2 --metadata '{"state": "done", "due": null}' --tag pump
      engram update note-1 --no-tags --importance 0.9
      engram update note-1 --ttl 3600
    """
    if tags and no_tags:
        raise click.UsageError("Give either --tag or --no-tags.")
    if (expires_at is not None) + (ttl is not None) + never_expires > 1:
        raise click.UsageError("Give one of --expires-at, --ttl and --never-expires.")
    if replace_metadata and metadata is None:
        raise click.UsageError("--replace-metadata goes with --metadata.")
    each: dict[str, Any] = {
        "contents": text,
        "metadata": metadata,
        "tags": list(tags) if tags or no_tags else None,
        "confidences": confidence,
        "importances": importance,
        "expires_at": expires_at,
        "ttl": ttl,
    }
    columns: dict[str, Any] = {name: [value] * len(ids) for name, value in each.items() if value is not None}
    if never_expires:
        columns["expires_at"] = None
    if not columns:
        raise click.UsageError("There is nothing to change; give --text, --metadata, --tag or another option.")
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data) as target, target.opened(name) as opened:
        ack = opened.update(list(ids), merge=not replace_metadata, **columns)
    if as_json:
        cli.print_json({"first_generation": ack.first_generation, "generation": ack.generation, "count": ack.count})
    else:
        cli.out.print(f"{ack.count:,} updated in space {name}, as of generation {ack.generation:,}.")
