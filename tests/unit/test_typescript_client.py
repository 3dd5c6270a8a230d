"""The client in TypeScript agrees with the engine and with the documents; read from its sources, without Node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from engram.model import limits
from engram.wire.error_kinds import _KINDS
from tests.doubles.places import ROOT

PACKAGE = ROOT / "clients" / "typescript"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in (PACKAGE / "src").glob("*.ts")}
LINES_MAX = 350


class Door(NamedTuple):
    """One row of the table of the client's doors in ARCHITECTURE.md."""

    name: str
    limits: list[str]
    codes: list[str]
    modules: list[Path]


def constants() -> dict[str, int]:
    """Return the limits of the client by name; products and sums are of whole numbers and earlier names."""
    found: dict[str, int] = {}
    for name, text in re.findall(r"^export const ([A-Z_]+) = (.+);$", SOURCES["limits.ts"], re.MULTILINE):
        sums = text.split(" + ")
        found[name] = sum(_product(part.split(" * "), found) for part in sums)
    return found


def _product(factors: list[str], known: dict[str, int]) -> int:
    product = 1
    for factor in factors:
        product *= known[factor] if factor in known else int(factor.replace("_", ""))
    return product


def doors() -> list[Door]:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("### The doors of the TypeScript client")[1].split("\n## ")[0]
    rows = [row.split(" | ") for row in re.findall(r"^\| ((?!door|--).*) \|$", section, re.MULTILINE)]
    return [
        Door(
            name,
            re.findall(r"`(\w+)`", limit),
            re.findall(r"`(\w+)`", error),
            [ROOT / target for target in re.findall(r"\]\((\S+)\)", where)],
        )
        for name, limit, error, where in rows
    ]


def documented_codes() -> set[str]:
    pages = [ROOT / "docs" / "errors-and-limits.md", PACKAGE / "README.md"]
    rows = re.findall(
        r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", "\n".join(page.read_text(encoding="utf-8") for page in pages), re.MULTILINE
    )
    return set(re.findall(r"`([a-z_]+)`", "\n".join(rows)))


def test_limits_on_input_are_those_of_the_engine() -> None:
    own, engine = constants(), vars(limits)
    shared = own.keys() & engine.keys()
    assert len(shared) >= 15
    assert {name: own[name] for name in shared} == {name: engine[name] for name in shared}


def test_every_code_is_documented() -> None:
    text = "\n".join(SOURCES.values())
    ways = (r'\bcode: "([a-z_]+)"', r'\bunavailable\([^;]*?, "([a-z_]+)"', r'\brefusedResume\(\s*"([a-z_]+)"')
    codes = {code for way in ways for code in re.findall(way, text)}
    assert {"buffer_full", "call_lost", "no_server", "lost_future"} <= codes
    assert codes - documented_codes() == set()


def test_kinds_of_errors_are_those_of_the_wire() -> None:
    kinds = re.search(r"export type ErrorKind =([^;]+);", SOURCES["errors.ts"])
    assert kinds
    assert set(re.findall(r'"(\w+)"', kinds[1])) == set(_KINDS)


@pytest.mark.parametrize("door", doors(), ids=lambda door: door.name)
def test_every_door_is_where_the_table_says_and_refuses_with_its_codes(door: Door) -> None:
    text = "".join(module.read_text(encoding="utf-8") for module in door.modules)
    for code in door.codes:
        assert code in documented_codes()
        assert f'"{code}"' in text, f"{code} is raised elsewhere"
    # Beside the constants: options of the client, and what a server tells.
    pages = [PACKAGE / "README.md", ROOT / "docs" / "websocket.md"]
    documented = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for name in door.limits:
        assert name in text
        assert name in constants() or re.search(rf"\b{name}\b", documented)


def test_sources_are_small_files() -> None:
    assert {name for name, text in SOURCES.items() if len(text.splitlines()) > LINES_MAX} == set()
