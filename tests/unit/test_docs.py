"""The documents keep their word: links lead somewhere, examples run and print what they say, tables are complete."""

from __future__ import annotations

import doctest
import importlib
import itertools
import re
import struct
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final, NamedTuple

import click
import pytest

from engram import errors
from engram.cli.app import app
from engram.cli.setting_options import SettingOption
from engram.client import OutboxLimits, StreamOptions
from engram.config import describe_settings
from engram.log.records import header as record_header
from engram.log.records import sectors
from engram.log.segments import segment_header
from engram.model import limits
from engram.model.spaces import METRICS
from engram.server import ServerOptions
from engram.store.options import StoreOptions
from engram.streaming.sessions.connection import ConnectionLimits
from tests.doubles.places import ROOT

PAGES: Final = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SERVER_ADDRESS: Final = "http://localhost:7432"

_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Example(NamedTuple):
    """A Python example of a page and the output that the page shows below it, if it shows one."""

    page: Path
    number: int
    code: str
    output: str | None


def examples() -> Iterator[Example]:
    for page in PAGES:
        blocks = list(_FENCE.finditer(page.read_text(encoding="utf-8")))
        followers = [*blocks[1:], None][: len(blocks)]
        for number, (block, after) in enumerate(zip(blocks, followers, strict=True), start=1):
            if block[1] != "python":
                continue
            gap = after.string[block.end() : after.start()] if after else "none"
            shown = after[2] if after and after[1] == "text" and not gap.strip() else None
            yield Example(page, number, block[2], shown)


def name_of(example: Example) -> str:
    return f"{example.page.relative_to(ROOT)}:{example.number}"


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, section = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}, which does not exist"
        if section:
            headings = _HEADING.findall(linked.read_text(encoding="utf-8"))
            assert section in map(anchor, headings), f"{page.name} links to {target}; there is no such heading"


@pytest.mark.parametrize("example", [e for e in examples() if SERVER_ADDRESS not in e.code], ids=name_of)
def test_python_examples_run_and_print_what_they_say(example: Example, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", example.code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    if example.output is not None:
        assert done.stdout == example.output


@pytest.mark.parametrize("module", ["engram.data.sample", "engram.text.lexical"])
def test_examples_of_docstrings_are_true(module: str) -> None:
    failures, attempts = doctest.testmod(importlib.import_module(module))
    assert attempts
    assert not failures


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(_LINK.findall((folder / "index.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in folder.glob("0*.md")}


def test_there_is_an_example_to_run_in_the_readme() -> None:
    shown = [example for example in examples() if example.page.name == "README.md"]
    assert shown
    assert shown[0].output
    code = [line for line in shown[0].code.splitlines() if line.strip()]
    assert len(code) <= 15


def test_every_limit_is_documented_with_its_value() -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d ]+) \|", page, re.MULTILINE))
    documented = {name: int(value.replace(" ", "")) for name, value in table.items()}
    actual = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert documented == actual


def test_every_error_class_is_documented() -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert classes == set(re.findall(r"^\| `([A-Z]\w+)` \| (?:`[A-Z_]+`|-) \|", page, re.MULTILINE))


def test_every_error_code_is_documented_and_exists() -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    codes = "\n".join(re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", page, re.MULTILINE))
    documented = set(re.findall(r"`([a-z_]+)`", codes))
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "engram").rglob("*.py"))
    raised = set(re.findall(r"""\b(?:code|default_code) ?= ?["']([a-z_]+)["']""", sources))
    assert not raised - documented, "raised but not documented"
    unknown = {code for code in documented - raised if f'"{code}"' not in sources}
    # These are put together from the name of the field.
    assert all(re.search(r"^invalid_|_size$|_range$", code) for code in unknown), f"never raised: {sorted(unknown)}"


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    section = page.partition("## Scores and confidence")[2]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == METRICS


class Door(NamedTuple):
    """One row of the table of doors in ARCHITECTURE.md."""

    number: int
    limits: list[str]
    codes: list[str]
    modules: list[Path]


def doors() -> list[Door]:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("## The doors of an observation")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in row.split(" | ")] for row in re.findall(r"^\| (\d.*) \|$", section, re.MULTILINE)]
    return [
        Door(
            int(number),
            re.findall(r"`([A-Za-z_]+)`", limit),
            re.findall(r"`([a-z_]+)`", error),
            [ROOT / target for target in re.findall(r"\]\((\S+)\)", where)],
        )
        for number, _, limit, error, where in rows
    ]


def test_the_doors_are_numbered_in_order() -> None:
    assert [door.number for door in doors()] == list(range(1, len(doors()) + 1))
    assert len(doors()) >= 15


@pytest.mark.parametrize("door", doors(), ids=lambda door: str(door.number))
def test_every_door_is_where_the_table_says_and_refuses_with_its_codes(door: Door) -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in door.modules)
    of_classes = {kind.default_code for kind in vars(errors).values() if hasattr(kind, "default_code")}
    for code in door.codes:
        assert f"`{code}`" in page, f"{code} is documented nowhere"
        assert f'"{code}"' in sources or code in of_classes, f"{code} is raised elsewhere"
    options = [ServerOptions, StoreOptions, ConnectionLimits, OutboxLimits, StreamOptions]
    named = {field.name for kind in options for field in fields(kind)} | set(vars(limits))
    assert set(door.limits) - named - {"OutboxLimits"} == set()


def test_every_setting_is_documented_with_its_default() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (?:`([^`]+)`|\(empty\)) \|", page, re.MULTILINE))
    described = describe_settings()
    assert documented == {
        f"{section}.{key}": each.shown_default for section in described for key, each in described[section].items()
    }


def test_the_tables_of_settings_are_what_the_code_gives() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "settings_tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## engram ([a-z ]+[a-z]).*?\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    shared = page.partition("## ")[0]
    commands = dict(walk(app))
    assert set(sections) == set(commands)
    for name, command in commands.items():
        for option in (option for option in command.params if isinstance(option, click.Option)):
            flag = max(option.opts, key=len)
            if isinstance(option, SettingOption) and name == "serve":
                # A test above says that the page with the settings is complete.
                continue
            assert f"`{flag}" in sections[name] or f"`{flag}" in shared, f"engram {name} {flag} is not documented"


def walk(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from walk(command, f"{prefix}{name} ")


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        mentioned = set(re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")))
        assert mentioned <= targets, page.name


def test_every_make_target_of_the_workflow_and_of_its_own_run_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    stages = re.findall(r"^stage ([a-z]+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    run = re.findall(r"\brun: make ([a-z]+)", workflow)
    assert run
    assert stages
    assert {*run, *stages} <= targets


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/style.md"])
def test_every_file_that_the_advice_names_exists(page: str) -> None:
    folders = "src|native|proto|scripts|tests|campaigns|benchmarks|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", (ROOT / page).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert {f"version: {project['version']}", f"license: {project['license']}"} <= set(lines)
    assert [f'  - name: "{author["name"]}"' for author in project["authors"]] == [x for x in lines if "- name:" in x]


@pytest.mark.parametrize(
    ("heading", "structs"),
    [
        ("Header of a segment", [segment_header._PREFIX, segment_header._FIELDS]),
        ("Header of a record", [record_header._PREFIX, record_header._FIELDS]),
    ],
)
def test_the_format_is_described_byte_by_byte(heading: str, structs: list[struct.Struct]) -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    section = page.partition(f"### {heading}\n")[2].partition("\n#")[0]
    described = [(int(start), int(size)) for start, size in re.findall(r"^\| (\d+) \| (\d+) \|", section, re.MULTILINE)]
    offsets = [0, *itertools.accumulate(size for _, size in described)]
    assert [start for start, _ in described] == offsets[:-1]
    parts = [part for one in structs for part in re.findall(r"\d*s|[A-Za-z]", one.format)]
    sizes = [struct.calcsize(f"<{part}") for part in parts]
    assert [size for _, size in described][: len(sizes)] == sizes
    if heading == "Header of a record":
        assert offsets[len(sizes)] == record_header._COLUMNS_OFFSET
        assert offsets[-2] == sectors.INLINE_SUMS_OFFSET
        assert offsets[-1] == sectors.SECTOR_BYTES


def test_every_column_is_described() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    section = page.partition("### Columns\n")[2].partition("\n#")[0]
    described = [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    assert described == [column.value for column in record_header.Column]
    assert f"| {record_header.OPTIONAL_COLUMN} to 255 | optional |" in section
