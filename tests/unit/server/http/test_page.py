"""The files of a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import ASGIApp

from engram.errors import InvalidInput, NotFound
from engram.server.http import page as module
from engram.server.http.page import Page
from engram.server.http.routes import router
from tests.doubles.asgi import HOST, ask

HTML = b"<!doctype html><title>x</title>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(HTML)
    (tmp_path / "assets" / "app.1a2b.js").write_bytes(b"x = 1")
    (tmp_path / "secret.py").write_bytes(b"no file of a page")
    return tmp_path


@pytest.fixture
def app(folder: Path) -> ASGIApp:
    page = Page.at(folder)
    assert page is not None
    return router(page.routes("/"))


def test_without_a_built_page_there_is_none(tmp_path: Path) -> None:
    assert Page.at(tmp_path) is None
    assert Page.at(tmp_path / "nowhere") is None


async def test_the_index_stands_at_the_root_with_a_strict_policy(app: ASGIApp) -> None:
    answered = await ask(app, "GET", "/")
    assert (answered.status, answered.body) == (200, HTML)
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert answered.headers["cache-control"] == "no-cache"
    policy = answered.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


async def test_what_changes_its_name_with_its_content_is_kept_for_ever(app: ASGIApp) -> None:
    answered = await ask(app, "GET", "/assets/app.1a2b.js")
    assert (answered.body, answered.headers["content-type"]) == (b"x = 1", "text/javascript; charset=utf-8")
    assert "immutable" in answered.headers["cache-control"]


async def test_who_has_a_file_already_does_not_get_it_again(app: ASGIApp) -> None:
    tag = (await ask(app, "GET", "/")).headers["etag"]
    for given in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answered = await ask(app, "GET", "/", [HOST, ("if-none-match", given)])
        assert (answered.status, answered.body, answered.headers["etag"]) == (304, b"", tag)
    assert (await ask(app, "GET", "/", [HOST, ("if-none-match", '"x"')])).status == 200


@pytest.mark.parametrize(
    "path",
    ["/index.html", "/secret.py", "/assets/", "/assets", "/../secret.py", "/assets/../index.html", "//", "/nowhere"],
)
async def test_nothing_else_is_served(app: ASGIApp, path: str) -> None:
    with pytest.raises(NotFound):
        await ask(app, "GET", path)


async def test_a_page_is_only_read(app: ASGIApp) -> None:
    with pytest.raises(InvalidInput, match="takes GET, HEAD"):
        await ask(app, "POST", "/")


def test_a_page_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BYTES_MAX", 10)
    with pytest.raises(ValueError, match="10 bytes"):
        Page.at(folder)
