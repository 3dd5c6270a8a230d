"""Without the library that it joins to Engram, an integration says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engram.errors import MissingExtra
from engram.integrations.extras import importing

SCRIPT = """
import sys
sys.modules["{package}"] = None
from engram.errors import MissingExtra
try:
    from engram.integrations.{extra} import {name}
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("extra", "package", "name"),
    [("langchain", "langchain_core", "EngramVectorStore"), ("haystack", "haystack", "EngramDocumentStore")],
)
def test_a_missing_library_is_named(extra: str, package: str, name: str) -> None:
    script = SCRIPT.format(extra=extra, package=package, name=name)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert f"pip install 'engram-stream[{extra}]'" in done.stdout


def test_what_else_cannot_be_imported_is_told_as_it_is() -> None:
    for name in ("another_package", "no_packages"):
        with pytest.raises(ImportError) as told, importing("X", package="no_package", distribution="x", extra="x"):
            raise ImportError("it is not there", name=name)
        assert not isinstance(told.value, MissingExtra)
    with pytest.raises(MissingExtra) as missing, importing("X", package="no_package", distribution="x-dist", extra="x"):
        raise ModuleNotFoundError("it is not there", name="no_package.part")
    assert (missing.value.field, missing.value.limit, missing.value.value) == ("extra", "x", "x-dist")
