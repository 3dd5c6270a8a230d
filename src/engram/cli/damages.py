"""Damage, unusable spaces and other problems, as tables for people and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from engram.cli.tables import make_table
from engram.client import UnsoundSpace
from engram.metrics.health import FAILED, Problem
from engram.model.damage import Damage


def damages_table(damages: Iterable[Damage]) -> Table:
    """Return a table of damaged places: file and offset, the generations that may be lost, and the problem."""
    table = make_table("damaged")
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("file", overflow="fold")
    table.add_column("offset", justify="right", no_wrap=True)
    table.add_column("generations", justify="right", no_wrap=True)
    table.add_column("what", ratio=1)
    for damage in damages:
        first, last = damage.first_generation, damage.last_generation
        lost = "-" if not last else f"{first:,}" if first == last else f"{first:,} to {last:,}"
        table.add_row(Text(damage.space or "-"), Text(damage.file), f"{damage.offset:,}", lost, Text(damage.what))
    return table


def unsound_table(spaces: Iterable[UnsoundSpace]) -> Table:
    """Return a table of the spaces that cannot be used, with the reasons."""
    table = make_table("cannot be used")
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("code", no_wrap=True)
    table.add_column("why", ratio=1)
    for space in spaces:
        table.add_row(Text(space.name), space.code, Text(space.message))
    return table


def problems_table(problems: Iterable[Problem]) -> Table:
    """Return a table of problems: since when, what is wrong, and what to do about it."""
    table = make_table("problems")
    table.add_column("level", no_wrap=True)
    table.add_column("problem", no_wrap=True)
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("since", no_wrap=True)
    table.add_column("what, and what to do", ratio=1)
    for problem in problems:
        text = Text(f"{problem.message.rstrip('.')}. {problem.advice}")
        style = "bold red" if problem.level == FAILED else "yellow"
        level = Text(problem.level, style=style)
        table.add_row(level, problem.name, Text(problem.space or "-"), since_text(problem), text)
    return table


def since_text(problem: Problem) -> str:
    """Return when a problem was first seen, in UTC."""
    return datetime.fromtimestamp(problem.since_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def problem_values(problem: Problem) -> dict[str, Any]:
    """Return a problem as a dictionary for JSON."""
    return problem._asdict()


def damage_values(damage: Damage) -> dict[str, Any]:
    """Return a damaged place as a dictionary for JSON."""
    return damage._asdict()


def unsound_values(space: UnsoundSpace) -> dict[str, Any]:
    """Return an unusable space as a dictionary for JSON; unlike a usable space, it has an ``error``."""
    return {"name": space.name, "error": {"code": space.code, "message": space.message}}


def advice(named: int, count: int) -> str:
    """Return advice for `count` damaged places, of which `named` are shown."""
    more = f"{count - named:,} more places are damaged. " if count > named else ""
    return (
        f"{more}What is damaged is not served; everything else is. With nothing using the directory, "
        "engram verify DIR checks all of it, and engram repair DIR NEW_DIR keeps what is sound; "
        "engram restore takes a backup."
    )
