"""A wheel of this tree, without the native core: what of others goes with Engram, and under which licences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.doubles.places import ROOT

NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
# As `page/bundling/licences.ts` writes it.
_HEADING = re.compile(r"^(\S+) (\d\S*) \(.+\)\n-+\n", re.MULTILINE)
_COPYRIGHT = re.compile(r"^Copyright.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    # Compiling takes minutes, and adds nothing but the core.
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--wheel-dir", str(folder), "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--config-settings", "wheel.cmake=false"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    with ZipFile(next(folder.glob("*.whl"))) as file:
        yield file


def bundled(licences: str) -> dict[str, tuple[str, str]]:
    """Return version and licence of each package that is in the page."""
    _, *parts = _HEADING.split(licences)
    return {name: (version, text) for name, version, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


def compiled() -> dict[str, str]:
    """Return the licence of each library that is compiled into the core."""
    nanobind = distribution("nanobind")
    header = Path(str(nanobind.locate_file("nanobind/ext/robin_map/include/tsl/robin_map.h")))
    comment = header.read_text(encoding="utf-8").partition("/**")[2].partition("*/")[0]
    return {
        "nanobind": nanobind.read_text("licenses/LICENSE") or "",
        "robin-map": re.sub(r"^ \* ?", "", comment, flags=re.MULTILINE),
    }


def lacking(notice: str, licences: Mapping[str, str]) -> set[str]:
    """Return the names whose copyright or licence is not in a notice, whatever the lines there are."""
    plain = " ".join(notice.split())
    names = set()
    for name, text in licences.items():
        holders = _COPYRIGHT.findall(text)
        terms = " ".join(text.rpartition(holders[-1])[2].split()) if holders else ""
        if not terms or any(part not in plain for part in (name, *holders, terms)):
            names.add(name)
    return names


def licences_of_all(wheel: ZipFile) -> dict[str, str]:
    page = bundled(wheel.read("engram/page/LICENSES.txt").decode())
    return compiled() | {name: text for name, (_, text) in page.items()}


def test_the_files_of_licences_are_in_the_wheel(wheel: ZipFile) -> None:
    [info] = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license-files"]
    assert set(metadata.get_all("License-File") or ()) == set(declared)
    assert {"NOTICE", "src/engram/page/LICENSES.txt"} <= set(declared)
    for name in declared:
        assert wheel.read(f"{info}/licenses/{name}") == (ROOT / name).read_bytes()


def test_the_page_in_the_wheel_has_the_licences_of_the_packages_that_it_is_made_of(wheel: ZipFile) -> None:
    lock = json.loads((ROOT / "page" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    needed = {
        path.removeprefix("node_modules/"): package["version"]
        for path, package in lock.items()
        if path and not package.get("dev") and not package.get("peer")
    }
    found = bundled(wheel.read("engram/page/LICENSES.txt").decode())
    assert {name: version for name, (version, _) in found.items()} == needed
    assert {"preact", "uplot"} <= set(found)


def test_everything_of_others_is_in_the_notice(wheel: ZipFile) -> None:
    assert lacking(NOTICE, licences_of_all(wheel)) == set()


def test_what_is_missing_in_the_notice_is_found(wheel: ZipFile) -> None:
    licences = licences_of_all(wheel)
    for name, text in licences.items():
        without = NOTICE.replace(_COPYRIGHT.findall(text)[0], "")
        assert name in lacking(without, licences)
    without_terms = NOTICE.replace("Permission is hereby granted", "")
    assert lacking(without_terms, licences) == set(licences) - {"nanobind"}
    assert lacking(NOTICE, {"left-pad": "Copyright (c) somebody else\n\nTerms.\n"}) == {"left-pad"}
    assert lacking(NOTICE, {"preact": "no copyright"}) == {"preact"}


def test_no_other_library_is_compiled_in() -> None:
    wanted = set(re.findall(r"find_package\((\w+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")))
    assert wanted == {"Threads", "Python", "nanobind"}, "the licence of a new library belongs into NOTICE and this test"
    sources = [path for path in (ROOT / "native").rglob("*.?pp") if "Copyright" in path.read_text(encoding="utf-8")]
    assert sources == []


def test_what_only_tests_need_is_not_in_the_wheel(wheel: ZipFile) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()} == {"engram", "engram_stream"}
    for name in wheel.namelist():
        assert b"axe-core" not in wheel.read(name), name
        assert "node_modules" not in name
