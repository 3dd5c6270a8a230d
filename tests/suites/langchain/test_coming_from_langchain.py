"""Both halves of docs/integrations/coming-from-langchain.md run, and print the same; each call is on the page."""

from __future__ import annotations

from pathlib import Path

from langchain_core.stores import BaseStore
from langchain_core.vectorstores import VectorStore

from tests.suites.pages import blocks_of, page_of, printed, unnamed

PAGE = page_of("coming-from-langchain")


def test_both_libraries_print_the_same(tmp_path: Path) -> None:
    programs = [blocks_of(PAGE, library) for library in ("LangChain", "Engram")]
    assert [len(blocks) for blocks in programs] == [9, 9]
    theirs, ours = (printed("\n".join(blocks), tmp_path / f"{half}") for half, blocks in enumerate(programs))
    assert theirs == ours
    assert len(theirs.splitlines()) == 11


def test_every_call_of_langchain_is_on_the_page() -> None:
    assert unnamed(PAGE, VectorStore, BaseStore) == []
