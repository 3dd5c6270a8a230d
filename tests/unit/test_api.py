"""What users may use: what the packages export is documented, and what is documented is there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import engram
from engram import Space
from tests.doubles.places import ROOT

REFERENCE = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
# Packages whose `__all__` is a promise.
PUBLIC = ["engram", "engram.store", "engram.client", "engram.index", "engram.server", "engram.text", "engram.data"]


def resolved(name: str) -> object:
    """The object of a dotted name: a module, or something in one."""
    module, _, attribute = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("name", REFERENCE)
def test_what_the_reference_names_is_there(name: str) -> None:
    assert getattr(resolved(name), "__doc__", None)


@pytest.mark.parametrize("package", PUBLIC)
def test_what_a_package_exports_is_in_the_reference(package: str) -> None:
    module = importlib.import_module(package)
    documented = [resolved(name) for name in REFERENCE]
    of_errors = vars(importlib.import_module("engram.errors")).values()
    missing = [
        name
        for name in module.__all__
        if not name.startswith("__")
        and isinstance(getattr(module, name), type)
        and not any(getattr(module, name) is each for each in [*documented, *of_errors])
    ]
    assert missing == []


def test_every_name_of_all_is_there_and_nothing_else_is_shown() -> None:
    modules = [engram, *(importlib.import_module(name) for name in PUBLIC[1:])]
    for module in modules:
        assert sorted(module.__all__) == sorted(set(module.__all__)), module.__name__
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_type_checkers_see_every_name_of_the_front_door() -> None:
    assert engram.__file__ is not None
    tree = ast.parse(Path(engram.__file__).read_text(encoding="utf-8"))
    (typing_only,) = [node for node in tree.body if isinstance(node, ast.If)]
    shown = {alias.name for node in typing_only.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert shown == {name for name in engram.__all__ if not name.startswith("__")}


def test_the_interface_is_the_one_that_was_written_down() -> None:
    """Whoever changes what users call does it on purpose: python scripts/public_api.py > tests/unit/public_api.txt."""
    written = (ROOT / "tests" / "unit" / "public_api.txt").read_text(encoding="utf-8")
    assert list(runpy.run_path(str(ROOT / "scripts" / "public_api.py"))["lines"]()) == written.splitlines()


def test_no_public_signature_says_any() -> None:
    written = (ROOT / "tests" / "unit" / "public_api.txt").read_text(encoding="utf-8")
    assert re.findall(r"^.*\bAny\b.*$", written, re.MULTILINE) == []


def test_a_space_shows_what_its_users_may_use() -> None:
    shown = {name for name in dir(Space) if not name.startswith("_")}
    assert not shown & {"admit", "withdraw", "commit", "prepare", "tail", "indexing", "history", "followers"}


def test_packages_say_what_they_are() -> None:
    silent = [
        info.name for info in pkgutil.walk_packages(engram.__path__, "engram.") if info.ispkg and not _doc(info.name)
    ]
    assert silent == []


def _doc(name: str) -> str | None:
    # Some packages need extras that are not installed here; what they say does not.
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
