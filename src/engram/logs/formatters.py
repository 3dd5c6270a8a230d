"""How the lines of the log are written: for people, or as JSON, one object a line.

Errors are named by class and code and with their traceback, and not by their message: that of a `KeyError`, say, is the
key, which may be a token or the id of an observation.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from engram.errors import EngramError
from engram.logs.fields import fields_of

MESSAGE_CHARACTERS_MAX: Final = 8192
# Frames of one error, and errors that led to each other, of which the last are kept.
_FRAMES_MAX: Final = 50
_CAUSES_MAX: Final = 8
# Their messages come from the system or from this code.
_TELLING: Final = (OSError, MemoryError, RuntimeError)


class ConsoleFormatter(logging.Formatter):
    """Writes lines for people: time, level, logger, message, and the fields that are known."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without what follows for an error."""
        record.message = shortened(record.message)
        fields = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        line = super().formatMessage(record)
        return f"{line} [{fields}]" if fields else line

    def formatException(self, ei: object) -> str:
        """Return the traceback of an error, without its message."""
        error = ei[1] if isinstance(ei, tuple) else None
        return traceback_of(error) if isinstance(error, BaseException) else ""


class JsonFormatter(logging.Formatter):
    """Writes each line as one JSON object with the fields time, level, logger and message, and those that are known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shortened(record.getMessage()),
            **fields_of(record),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = error_name(error)
            line["traceback"] = traceback_of(error)
        # In ASCII, whatever the encoding of the stream is.
        return json.dumps(line, default=str)


def error_name(error: BaseException) -> str:
    """Return the code of an `EngramError`, and the name of the class of any other."""
    return error.code if isinstance(error, EngramError) else type(error).__qualname__


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error and of those that led to it, with messages only where they hold nothing sent."""
    return "\n".join(reversed([_one_traceback(each) for each in _chain(error)]))


def shortened(message: str) -> str:
    """Return `message`, cut if it is very long."""
    return message if len(message) <= MESSAGE_CHARACTERS_MAX else f"{message[:MESSAGE_CHARACTERS_MAX]} ..."


def _one_traceback(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__, -_FRAMES_MAX))
    said = f": {error}" if isinstance(error, _TELLING) else ""
    code = f" ({error.code})" if isinstance(error, EngramError) else ""
    return f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}{code}{shortened(said)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
