"""The lines of the log: what they hold, and what they never hold."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import datetime
from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.logs.fields import remember_fields
from engram.logs.formatters import MESSAGE_CHARACTERS_MAX, ConsoleFormatter, JsonFormatter

SENT = "Bearer 8a0c"


def record(message: Any = "space %s is full", *arguments: Any, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "engram.store", logging.WARNING, __file__, 1, message, arguments, fields.pop("exc_info", None)
    )
    vars(made).update(fields)
    return made


def written(line: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(line)
    assert "\n" not in text
    return dict(json.loads(text))


def raised(error: BaseException, cause: BaseException | None = None) -> Any:
    try:
        raise error from cause
    except BaseException:
        return sys.exc_info()


def test_a_line_is_one_object_with_what_is_known() -> None:
    line = written(record("space %s is full", "notes", space="notes", session="s1", generation=7, other="no field"))
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "warning",
        "logger": "engram.store",
        "message": "space notes is full",
        "space": "notes",
        "session": "s1",
        "generation": 7,
    }


@pytest.mark.parametrize(
    "message", ["two\nlines", 'a "quote"', "\x00\x1b[31m", "half \ud800", "ü\u2028", {"an": "object"}]
)
def test_whatever_is_said_stays_one_line(message: Any) -> None:
    assert written(record(message))["message"] == str(message)


def test_a_message_has_a_limit() -> None:
    assert len(written(record("x" * 10**6))["message"]) < MESSAGE_CHARACTERS_MAX + 10
    assert len(ConsoleFormatter().format(record("x" * 10**6))) < MESSAGE_CHARACTERS_MAX + 100


async def test_a_task_remembers_fields_for_its_own_lines_alone() -> None:
    async def session(name: str) -> dict[str, Any]:
        remember_fields(space="notes", session=name)
        await asyncio.sleep(0)
        return written(record("said"))

    found = await asyncio.gather(session("s1"), session("s2"))
    assert [line["session"] for line in found] == ["s1", "s2"]
    assert "session" not in written(record("said"))


@pytest.mark.parametrize("formatter", [JsonFormatter(), ConsoleFormatter()])
@pytest.mark.parametrize(
    "error", [KeyError(SENT), ValueError(SENT), UnicodeDecodeError("utf-8", SENT.encode(), 0, 1, SENT)]
)
def test_an_error_has_a_traceback_and_never_its_message(formatter: logging.Formatter, error: Exception) -> None:
    text = formatter.format(record("failed", exc_info=raised(InvalidInput(f"id {SENT}", code="id_size"), error)))
    assert SENT not in text
    for shown in ("InvalidInput (id_size)", type(error).__name__, "test_formatters.py", "raised"):
        assert shown in text


def test_what_the_system_says_is_shown() -> None:
    line = written(record("failed", exc_info=raised(OSError(28, "No space left on device"))))
    assert line["error"] == "OSError"
    assert line["traceback"].endswith("OSError: [Errno 28] No space left on device")


def test_an_error_has_its_code() -> None:
    assert written(record("failed", exc_info=raised(InvalidInput("no", code="id_size"))))["error"] == "id_size"


def test_deep_and_circular_tracebacks_have_an_end() -> None:
    def dig(depth: int) -> None:
        dig(depth + 1)

    one, two = ValueError(), TypeError()
    one.__context__, two.__context__ = two, one
    with pytest.raises(RecursionError) as deep:
        dig(0)
    for error in (one, deep.value):
        assert len(written(record("failed", exc_info=(type(error), error, error.__traceback__)))["traceback"]) < 20_000


def test_people_read_fields_behind_the_message() -> None:
    line = ConsoleFormatter().format(record("a session is open", session="s1", generation=7))
    assert line.endswith(" WARNING engram.store: a session is open [session=s1 generation=7]")
