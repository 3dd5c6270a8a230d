"""The examples of the pages on integrations: blocks of Python, each with what it prints below it."""

from __future__ import annotations

import contextlib
import io
import re

from tests.doubles.places import ROOT

_EXAMPLE = re.compile(r"^```py\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples_of(name: str) -> list[tuple[str, str]]:
    """The examples of a page, and what it says that they print."""
    page = (ROOT / "docs" / "integrations" / f"{name}.md").read_text(encoding="utf-8")
    found = _EXAMPLE.findall(page)
    assert len(found) == page.count("```py\n"), f"an example of {name}.md does not show what it prints"
    return found


def printed(code: str) -> str:
    """What an example prints."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(code, {"__name__": "example"})  # noqa: S102 - a page of this repository.
    return told.getvalue()
