"""Both halves of docs/integrations/coming-from-langchain.md run, and print the same; each call is on the page."""

from __future__ import annotations

from pathlib import Path

from langchain_core.stores import BaseStore
from langchain_core.vectorstores import VectorStore

from tests.suites.pages import halves_of, page_of, printed, unnamed

PAGE = "coming-from-langchain"


def test_both_libraries_print_the_same(tmp_path: Path) -> None:
    theirs, ours = (printed(code, tmp_path / f"{half}") for half, code in enumerate(halves_of(PAGE, "LangChain")))
    assert theirs == ours
    assert len(theirs.splitlines()) == 11


def test_every_call_of_langchain_is_on_the_page() -> None:
    assert unnamed(page_of(PAGE), VectorStore, BaseStore) == []
