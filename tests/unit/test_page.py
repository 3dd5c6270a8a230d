"""The page that the server shows: what is committed is what its sources build, and needs nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.doubles.places import ROOT

PAGE = ROOT / "src" / "engram" / "page"
LINES_MAX = 350
# As in `page/bundling/digest.ts`.
MADE_FROM = (
    "clients/typescript/src",
    "page/bundling",
    "page/index.html",
    "page/package-lock.json",
    "page/public",
    "page/src",
    "page/vite.config.ts",
)


class Elements(HTMLParser):
    """The elements of a document, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag = self.found[-1][0]
            self.texts[tag] = self.texts.get(tag, "") + data.strip()


def index() -> Elements:
    return Elements((PAGE / "index.html").read_text(encoding="utf-8"))


def digest(root: Path) -> str:
    names = []
    for part in MADE_FROM:
        path = root / part
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        names += [file.relative_to(root).as_posix() for file in files]
    whole = hashlib.sha256()
    for name in sorted(names):
        whole.update(f"{name} {hashlib.sha256((root / name).read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def test_the_page_is_what_its_sources_build() -> None:
    built = (PAGE / "sources.sha256").read_text(encoding="ascii").strip()
    assert built == digest(ROOT), "the sources of the page have changed: run `npm ci && npm run build` in page/"


def test_a_changed_source_is_noticed(tmp_path: Path) -> None:
    for part in MADE_FROM:
        place = tmp_path / part
        if (ROOT / part).is_dir():
            place.mkdir(parents=True)
            place = place / "one.ts"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("1", encoding="utf-8")
    before = digest(tmp_path)
    (tmp_path / "page" / "src" / "one.ts").write_text("2", encoding="utf-8")
    assert digest(tmp_path) != before


def test_nothing_is_inline_so_that_a_strict_content_security_policy_holds() -> None:
    page = index()
    assert page.texts.get("script", "") == ""
    assert "style" not in {tag for tag, _ in page.found}
    for tag, attributes in page.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_every_file_is_named_relatively_and_exists() -> None:
    named = [
        value
        for _, attributes in index().found
        for name, value in attributes.items()
        if name in ("src", "href") and value is not None
    ]
    assert len(named) >= 3
    for name in named:
        assert name.startswith("./"), f"{name} would not be found under a path"
        assert (PAGE / name).is_file()
    present = {file.relative_to(PAGE).as_posix() for file in PAGE.rglob("*") if file.is_file()}
    besides = {"index.html", "LICENSES.txt", "sources.sha256"}
    assert present - besides == {name.removeprefix("./") for name in named}, "an older build was left"


@pytest.mark.parametrize("pattern", ["*.css", "*.js"])
def test_nothing_is_fetched_from_elsewhere(pattern: str) -> None:
    for file in (PAGE / "assets").glob(pattern):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"url\(|@import\b", text) if pattern == "*.css" else "sourceMappingURL" not in text
        # Names of XML, and what messages give as examples, are not fetched.
        hosts = {host for host in re.findall(r"https?://([\w.-]+)", text) if "." in host}
        assert hosts <= {"www.w3.org", "127.0.0.1"}, file.name


def test_code_is_not_made_from_texts() -> None:
    for file in (PAGE / "assets").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function\(|document\.write\(", text), file.name


def test_the_space_in_the_browser_is_not_shipped() -> None:
    fake = (ROOT / "page" / "src" / "engine" / "fake" / "fake-space.ts").read_text(encoding="utf-8")
    for file in (PAGE / "assets").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert "class FakeSpace" in fake
        assert "Fake" not in text
        assert "wordnet" not in text


def test_sources_of_the_page_are_small_files() -> None:
    long = {
        file.name: count
        for folder in ("src", "bundling", "tests")
        for file in (ROOT / "page" / folder).rglob("*.*")
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > LINES_MAX and file.suffix != ".css"
    }
    assert long == {}
