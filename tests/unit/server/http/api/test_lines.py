"""Lines of a body that arrives in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest

from engram.errors import InvalidInput
from engram.server.http.api import lines as module
from engram.server.http.api.lines import numbered_lines


async def parts(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def read(*pieces: bytes, begun: list[tuple[int, int]] | None = None) -> list[tuple[int, bytes | str]]:
    told = [] if begun is None else begun
    return [
        (number, line.code if isinstance(line, InvalidInput) else line)
        async for number, line in numbered_lines(parts(pieces), lambda *each: told.append(each))
    ]


BODY = b'{"a":1}\n\r\n  \n{"b":2}\r\n\n{"c":3}'
LINES = [(1, b'{"a":1}'), (4, b'{"b":2}\r'), (6, b'{"c":3}')]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_lines_are_the_same_however_they_arrive(size: int) -> None:
    assert await read(*(BODY[start : start + size] for start in range(0, len(BODY), size))) == LINES


async def test_there_may_be_none() -> None:
    assert await read() == []
    assert await read(b"\n", b" ") == []


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
async def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "LINE_BYTES_MAX", 10)
    body = b"x" * 10 + b"\n" + b"y" * 300 + b"\nz\n" + b"w" * 11
    found = await read(*(body[start : start + size] for start in range(0, len(body), size)))
    assert found == [(1, b"x" * 10), (2, "line_bytes"), (3, b"z"), (4, "line_bytes")]


async def test_what_is_kept_of_a_line_is_told_while_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_BYTES_MAX", 10)
    begun: list[tuple[int, int]] = []
    await read(b"1234", b"5678", b"9\n12", b"3\n", b"x" * 11, b"y", b"\nz", begun=begun)
    assert begun == [(1, 4), (1, 8), (2, 2), (3, 0), (3, 0), (3, 0), (4, 1)]
