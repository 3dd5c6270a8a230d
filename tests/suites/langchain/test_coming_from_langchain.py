"""Both halves of docs/integrations/coming-from-langchain.md run, and print the same; each call is on the page."""

from __future__ import annotations

from pathlib import Path

from langchain_core.stores import BaseStore
from langchain_core.vectorstores import VectorStore

from tests.doubles.page_halves import printed, program, unnamed
from tests.doubles.places import ROOT

PAGE = (ROOT / "docs" / "integrations" / "coming-from-langchain.md").read_text(encoding="utf-8")


def test_both_libraries_print_the_same(tmp_path: Path) -> None:
    programs = [program(PAGE, library) for library in ("LangChain", "Engram")]
    assert [len(blocks) for blocks in programs] == [9, 9]
    theirs, ours = (printed(blocks, tmp_path / f"half{number}") for number, blocks in enumerate(programs))
    assert theirs == ours
    assert len(theirs) == 11


def test_every_call_of_langchain_is_on_the_page() -> None:
    assert unnamed(PAGE, VectorStore, BaseStore) == []
