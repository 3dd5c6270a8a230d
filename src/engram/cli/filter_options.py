"""The options of commands that name conditions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict, TypeVar

import click

from engram.cli.commands.recall import _filter
from engram.model.cue import Filter

F = TypeVar("F", bound=Callable[..., Any])


class FilterOptions(TypedDict):
    """What the options give."""

    since: datetime | None
    until: datetime | None
    tags: tuple[str, ...]
    without_tags: tuple[str, ...]
    conditions: tuple[str, ...]


def filter_options(command: F) -> F:
    """Add the options of a filter to a command, which takes them as `FilterOptions`."""
    options = (
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only with this tag; may be repeated."),
        click.option(
            "--without-tag", "without_tags", multiple=True, metavar="TAG", help="Only without it; may be repeated."
        ),
        click.option(
            "--where",
            "conditions",
            multiple=True,
            metavar="KEY=VALUE",
            help="Only with this value for this key in the metadata; may be repeated.",
        ),
        click.option(
            "--since",
            type=click.DateTime(),
            metavar="TIME",
            help="Only what was observed at or after this time in UTC, such as 2025-01-31 or 2025-01-31T12:00:00.",
        ),
        click.option(
            "--until", type=click.DateTime(), metavar="TIME", help="Only what was observed before this time in UTC."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def filter_of(options: FilterOptions) -> Filter:
    """Return the filter that the options name; one without conditions if there are none.

    Raises
    ------
    click.UsageError, InvalidInput
        If a condition cannot be read, or could never be met.
    """
    return _filter(options["since"], options["until"], options["tags"], options["without_tags"], options["conditions"])
