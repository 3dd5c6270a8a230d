"""Both halves of docs/integrations/chroma.md run, and print the same; each call of Chroma is on the page."""

from __future__ import annotations

from pathlib import Path

from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection

from tests.doubles.page_halves import printed, program, unnamed
from tests.doubles.places import ROOT

PAGE = (ROOT / "docs" / "integrations" / "chroma.md").read_text(encoding="utf-8")


def test_both_libraries_print_the_same(tmp_path: Path) -> None:
    programs = [program(PAGE, library) for library in ("Chroma", "Engram")]
    assert [len(blocks) for blocks in programs] == [12, 12]
    theirs, ours = (printed(blocks, tmp_path / f"half{number}") for number, blocks in enumerate(programs))
    assert theirs == ours
    assert len(theirs) == 17


def test_every_call_of_chroma_is_on_the_page() -> None:
    assert unnamed(PAGE, Client, Collection) == []


def test_a_call_that_is_not_on_a_page_is_found() -> None:
    assert unnamed("`add`, `get` and `count_collections`", Collection).count("count") == 1
