"""The options of commands that name conditions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict, TypeVar

import click

from engram.errors import InvalidInput
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter, Scalar
from engram.model.filters.filter_like import as_condition
from engram.model.filters.text import parse_filter
from engram.model.values.metadata import parse_json

F = TypeVar("F", bound=Callable[..., Any])


class FilterOptions(TypedDict):
    """What the options give."""

    since: datetime | None
    until: datetime | None
    tags: tuple[str, ...]
    without_tags: tuple[str, ...]
    conditions: tuple[str, ...]
    text_filter: str | None


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
            help="Only with this value for this key in the metadata; may be repeated with other keys.",
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
        click.option(
            "--filter",
            "text_filter",
            metavar="FILTER",
            help="Only what passes this filter, such as 'deck >= 2 and not room in (\"mess\")'.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def filter_of(options: FilterOptions) -> Filter | Condition:
    """Return the filter that the options name; one without conditions if there are none.

    Raises
    ------
    click.UsageError, InvalidInput
        If a condition cannot be read, or could never be met.
    """
    wanted = Filter(
        since=options["since"],
        until=options["until"],
        tags=frozenset(options["tags"]),
        without_tags=frozenset(options["without_tags"]),
        metadata=_metadata(options["conditions"]),
    )
    if options["text_filter"] is None:
        return wanted
    parsed = parse_filter(options["text_filter"])
    return parsed if wanted.is_open else as_condition(wanted) & parsed


def _metadata(texts: tuple[str, ...]) -> dict[str, Scalar]:
    """Return the conditions ``key=value`` by their keys."""
    wanted: dict[str, Scalar] = {}
    for key, value in map(_condition, texts):
        if key in wanted:
            # A dictionary would keep the last one, and so would delete more than both.
            raise click.UsageError(
                f"--where names {key!r} twice, which has one value; --filter takes any of several: 'deck in (2, 9)'."
            )
        wanted[key] = value
    return wanted


def _condition(text: str) -> tuple[str, Scalar]:
    """Split ``key=value``; return the value as a JSON scalar, or as a text if it is not one."""
    key, separator, value = text.partition("=")
    if not separator:
        raise click.UsageError(f"--where {text!r} is not KEY=VALUE.")
    try:
        scalar = parse_json(value, key)
    except InvalidInput:
        return key, value
    return key, scalar if isinstance(scalar, str | float | int | None) else value
