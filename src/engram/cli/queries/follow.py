"""``engram follow``: what matches as it is stored, or all that changes, one JSON object a line."""

from __future__ import annotations

import json
from typing import Any, Unpack

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_OK
from engram.cli.filter_options import FilterOptions, filter_of, filter_options
from engram.cli.setting_options import setting_option
from engram.cli.tables import hit_values
from engram.cli.target import client_settings
from engram.client import Client
from engram.model.cue import Cue
from engram.model.following.change import Change
from engram.model.following.following import Following
from engram.model.following.options import ChangeOptions
from engram.model.hit import Hit


@click.command()
@click.argument("text", required=False)
@click.option("--changes", is_flag=True, help="Print all changes: also updates, deletions and what expires.")
@setting_option("client", "space")
@click.option(
    "-k", "count", type=click.IntRange(1), default=10, show_default=True, help="Maximum number of first hits."
)
@click.option("--words", is_flag=True, help="What is new matches if it has all words of TEXT, whatever it means.")
@filter_options
@click.option("--score-min", type=float, help="Only what is at least this similar to TEXT.")
@click.option("--only-new", is_flag=True, help="Leave out what is there already.")
@click.option(
    "--after-generation", type=click.IntRange(0), metavar="NUMBER", help="Go on after this generation; 0: all there is."
)
@click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="End after this time; at most a day.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged observations out instead of failing.")
@setting_option("client", "address")
@pass_cli
def follow(
    cli: CliContext,
    *,
    text: str | None,
    changes: bool,
    space: str | None,
    count: int,
    words: bool,
    score_min: float | None,
    only_new: bool,
    after_generation: int | None,
    timeout_s: float | None,
    skip_damaged: bool,
    address: str | None,
    **conditions: Unpack[FilterOptions],
) -> int:
    """Print what matches a TEXT or conditions, and then each new observation that does, as a server stores it.

    With --changes, print what changes, each change once and in the order of generations: what is observed, updated,
    deleted, and what expires; with conditions, what passes them, and what no longer does.

    Each is a JSON object on a line, with its generation. To go on later, pass the last one to --after-generation. It
    ends with Ctrl-C, after --timeout, or when the server no longer answers.

    \b
    Examples:
      engram follow "smoke" --score-min 0.5
      engram follow --words "pump leaks" --tag urgent --only-new
      engram follow --changes --after-generation 0 --timeout 1
      engram follow --changes --filter 'deck >= 2' >> deck.jsonl
    """
    filter = filter_of(conditions)
    if changes and (text is not None or words or score_min is not None or only_new):
        raise click.UsageError("--changes takes conditions, and no TEXT, --words, --score-min or --only-new.")
    cue = Cue(None, text or "", "words" if words else "similarity", filter, score_min)
    if not changes and not cue.ranks and filter.is_open:
        raise click.UsageError("Give a TEXT, a condition such as --tag, or --changes.")
    settings = client_settings(cli, address, space)
    options: ChangeOptions = {
        "after_generation": after_generation,
        "timeout_s": timeout_s,
        "skip_damaged": skip_damaged,
    }
    with Client(settings.address, space=settings.space, timeout_s=settings.timeout_s) as client:
        followed: Following[Hit] | Following[Change] = (
            client.changes(filter, **options) if changes else client.follow(cue, count, only_new=only_new, **options)
        )
        with followed:
            for each in followed:
                values = _change_values(each) if isinstance(each, Change) else hit_values(each)
                click.echo(json.dumps(values, ensure_ascii=False))
    if followed.incomplete:
        cli.err.print("engram: damaged observations were left out; engram status shows them", soft_wrap=True)
    return EXIT_DAMAGE if followed.incomplete else EXIT_OK


def _change_values(change: Change) -> dict[str, Any]:
    """Return a change as a dictionary for JSON."""
    return {
        "kind": change.kind,
        "id": change.id,
        "generation": change.generation,
        "replaces": change.replaces,
        "hit": None if change.hit is None else hit_values(change.hit),
    }
