"""The pages on integrations: examples with what they print below them, and programs of two libraries side by side."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path

from tests.doubles.places import ROOT

_EXAMPLE = re.compile(r"^```py\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page_of(name: str) -> str:
    """The text of a page."""
    return (ROOT / "docs" / "integrations" / f"{name}.md").read_text(encoding="utf-8")


def examples_of(name: str) -> list[tuple[str, str]]:
    """The examples of a page, and what it says that they print."""
    page = page_of(name)
    found = _EXAMPLE.findall(page)
    assert len(found) == page.count("```py\n"), f"an example of {name}.md does not show what it prints"
    return found


def halves_of(name: str, library: str) -> list[str]:
    """The two programs of a page, that of another library and that of Engram: all blocks with its name, in order."""
    page = page_of(name)
    halves = [
        re.findall(rf"^```py title=\"{title}\"\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        for title in (library, "Engram")
    ]
    assert [len(blocks) * 2 for blocks in halves] == [page.count("```py title=")] * 2, f"a block of {name}.md is alone"
    return ["\n".join(blocks) for blocks in halves]


def printed(code: str, folder: Path) -> str:
    """What a program prints that is run in a folder, which is made if it is not there."""
    folder.mkdir(exist_ok=True)
    told = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(told):
        exec(code, {"__name__": "example"})  # noqa: S102 - a page of this repository.
    return told.getvalue()


def unnamed(page: str, *kinds: type) -> list[str]:
    """The public blocking methods of classes that a page does not name."""
    members = [member for kind in kinds for member in vars(kind).items()]
    names = [name for name, member in members if inspect.isfunction(member) and not name.startswith("_")]
    methods = [name for name in names if not any(inspect.iscoroutinefunction(vars(kind).get(name)) for kind in kinds)]
    return [name for name in methods if not re.search(rf"\b{name}\b", page)]
