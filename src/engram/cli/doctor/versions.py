"""Checks of the versions of Python and of packages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Final

from engram.cli.doctor.finding import Finding, ok, problem, warning

DISTRIBUTION: Final = "engram-stream"
# The extras that a server needs.
_EXTRAS: Final = frozenset({"", "client", "websocket", "server"})
_REQUIREMENT: Final = re.compile(r"""([\w.-]+)(?:>=([\w.]+))?(?:;\s*extra\s*==\s*["'](\w+)["'])?""")


def check_packages(requirements: Iterable[str] | None) -> Finding:
    """Check that what a server needs is installed.

    Parameters
    ----------
    requirements
        The requirements of Engram, as its metadata has them; None if Engram is not installed as a package.
    """
    if requirements is None:
        advice = f"install it with: pip install '{DISTRIBUTION}[server]'"
        return warning("packages", "Engram runs from a folder and is not installed", advice)
    lacking, old, found = [], [], []
    for name, floor in _needed(requirements):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            lacking.append(name)
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(floor):
            old.append(f"{name} {version}, which must be at least {floor}")
    advice = f"install them with: pip install --upgrade '{DISTRIBUTION}[server]'"
    if old:
        return problem("packages", f"too old: {'; '.join(old)}", advice)
    if lacking:
        return warning("packages", f"not installed: {', '.join(lacking)}; a server needs all of them", advice)
    return ok("packages", ", ".join(found))


def requirements_of_engram() -> list[str] | None:
    """Return the requirements of the installed distribution; None if there is none."""
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return None


def _needed(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the least version of each package that a server needs."""
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement.replace(" ", ""))
        if match is not None and (match[3] or "") in _EXTRAS:
            yield match[1], match[2] or "0"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers a version begins with, such as (1, 85) for ``"1.85.0rc1"``, without zeros at the end."""
    begin = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in begin[0].split(".")] if begin else [0]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
