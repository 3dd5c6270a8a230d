"""The files of a page, as the package has them: the built page, and the one that shows the operations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from engram.server.http.routes import HttpRoute

_TYPES: Final[dict[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_FILES_MAX: Final = 500
_BYTES_MAX: Final = 32 * 1024 * 1024
INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of a page, with its headers."""

    body: bytes
    headers: Mapping[str, str]


class Page:
    """The files of one page, read once.

    Parameters
    ----------
    files
        The files, by path below the page.
    """

    def __init__(self, files: Mapping[str, PageFile]) -> None:
        self._files: Final = dict(files)

    @classmethod
    def at(cls, folder: Path) -> Page | None:
        """Return the page in `folder`, or None if none was built there."""
        if not (folder / INDEX).is_file():
            return None
        files: dict[str, PageFile] = {}
        left_bytes = _BYTES_MAX
        for path in sorted(folder.rglob("*")):
            if path.suffix not in _TYPES or not path.is_file():
                continue
            body = path.read_bytes()
            left_bytes -= len(body)
            if left_bytes < 0 or len(files) == _FILES_MAX:
                raise ValueError(f"the page at {folder} has more than {_FILES_MAX} files or {_BYTES_MAX} bytes")
            name = path.relative_to(folder).as_posix()
            files[name] = PageFile(body, _headers(name, path.suffix, body))
        return cls(files)

    def routes(self, prefix: str) -> list[HttpRoute]:
        """Return the routes of the page below `prefix`, which ends with a slash."""
        return [
            HttpRoute("GET", f"{prefix}{_shown(name)}", partial(_answer, file)) for name, file in self._files.items()
        ]


async def _answer(found: PageFile, request: Request) -> Response:
    headers = dict(found.headers)
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["etag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers)


def _shown(name: str) -> str:
    """Return the path of a file below the page; an index stands for its folder."""
    return name.removesuffix(INDEX) if name == INDEX or name.endswith(f"/{INDEX}") else name


def _headers(name: str, suffix: str, body: bytes) -> dict[str, str]:
    digest = hashlib.sha256(body).hexdigest()[:32]
    # A build gives the files in assets/ names that change with their content.
    is_fixed = name.startswith("assets/")
    headers = {
        "content-type": _TYPES[suffix],
        "etag": f'"{digest}"',
        "cache-control": "public, max-age=31536000, immutable" if is_fixed else "no-cache",
    }
    return headers | ({"content-security-policy": _POLICY} if suffix == ".html" else {})
