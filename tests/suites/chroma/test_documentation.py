"""Both halves of docs/integrations/chroma.md run, and print the same; each call of Chroma is on the page."""

from __future__ import annotations

from pathlib import Path

from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection

from tests.suites.pages import halves_of, page_of, printed, unnamed


def test_both_libraries_print_the_same(tmp_path: Path) -> None:
    theirs, ours = (printed(code, tmp_path / f"{half}") for half, code in enumerate(halves_of("chroma", "Chroma")))
    assert theirs == ours
    assert len(theirs.splitlines()) == 17


def test_every_call_of_chroma_is_on_the_page() -> None:
    assert unnamed(page_of("chroma"), Client, Collection) == []


def test_a_call_that_is_not_on_a_page_is_found() -> None:
    assert unnamed("`add`, `get` and `count_collections`", Collection).count("count") == 1
