"""Filters as texts, for the command line: ``deck >= 2 and not room in ("mess", "galley")``.

The grammar is in docs/filters.md. `str` of a condition is such a text.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple, NoReturn

from engram.model.filters.conditions import (
    EVERYTHING,
    NOTHING,
    SIGNS,
    Condition,
    Joint,
    Negation,
    compared,
    grouped,
)
from engram.model.filters.operands import Instant, refused
from engram.model.filters.size import too_large
from engram.model.filters.subjects import ATTRIBUTES, LISTED, OPERATORS, WORDS, Subject, metadata_subject
from engram.model.limits import FILTER_BYTES_MAX, FILTER_DEPTH_MAX
from engram.model.times import as_time_us
from engram.model.values.scalars import as_text, shown

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<own>@[A-Za-z_]+)
  | (?P<name>[^\W\d][\w-]*)
  | (?P<sign>==|!=|<>|<=|>=|=|<|>|\(|\)|,|\.)
)""",
    re.VERBOSE,
)
_OPERATOR_OF_SIGN: Final = {**{sign: operator for operator, sign in SIGNS.items()}, "==": "eq", "<>": "ne"}
_EXAMPLE: Final = 'such as deck >= 2 and not room in ("mess", "galley")'


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse_filter(text: str) -> Condition:
    """Return the condition that a text stands for.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, naming the place and what is expected there; ``filter_size``, if it is too large.
    """
    nbytes = len(as_text("filter", text, code="invalid_filter").encode())
    if nbytes > 2 * FILTER_BYTES_MAX:
        raise too_large("bytes of text", 2 * FILTER_BYTES_MAX, nbytes)
    return _Parser(text).whole()


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Condition:
        if self._peek().kind == "end":
            self._fail("a condition")
        found = self._joined("or")
        if self._peek().kind != "end":
            self._fail("and, or, or the end")
        return found

    def _joined(self, joint: Joint) -> Condition:
        self._depth += 1
        # Each level of parentheses or `not` takes a few calls, so the depth of the text bounds that of the stack.
        if self._depth > 4 * FILTER_DEPTH_MAX:
            raise too_large("levels", FILTER_DEPTH_MAX, self._depth // 2)
        part = self._one if joint == "and" else lambda: self._joined("and")
        parts = [part()]
        while self._takes(joint):
            parts.append(part())
        self._depth -= 1
        return grouped(joint, parts)

    def _one(self) -> Condition:
        negations = 0
        while self._takes("not"):
            negations += 1
        if negations > FILTER_DEPTH_MAX:
            raise too_large("levels", FILTER_DEPTH_MAX, negations)
        if self._takes("("):
            found = self._joined("or")
            self._expect(")")
        elif self._peek().text in ("true", "false"):
            found = EVERYTHING if self._take().text == "true" else NOTHING
        else:
            found = self._comparison()
        for _ in range(negations):
            found = Negation(found)
        return found

    def _comparison(self) -> Condition:
        subject = self._subject()
        token = self._take()
        if token.kind == "sign" and token.text in _OPERATOR_OF_SIGN:
            return compared(subject, _OPERATOR_OF_SIGN[token.text], self._value())
        operator = token.text
        if operator == "is":
            self._expect("null")
            return compared(subject, "is_null")
        if operator == "not":
            self._expect("in")
            operator = "not_in"
        if token.kind != "name" or operator not in OPERATORS or operator in SIGNS:
            self._next -= 1
            self._fail(
                f"one of {', '.join(SIGNS.values())}, in, not in, exists, is null, prefix, contains, any, all, none"
            )
        if operator == "exists":
            return compared(subject, "exists")
        return compared(subject, operator, self._values() if operator in LISTED else self._value())

    def _subject(self) -> Subject:
        token = self._take()
        if token.kind == "own":
            name = token.text[1:]
            if name not in ATTRIBUTES:
                self._next -= 1
                self._fail(f"one of {', '.join(f'@{each}' for each in ATTRIBUTES)}")
            return Subject(name)
        self._next -= 1
        path = [self._key()]
        while self._takes("."):
            path.append(self._key())
        return metadata_subject(path)

    def _key(self) -> str:
        token = self._take()
        if token.kind == "text":
            return _unquoted(token)
        if token.kind != "name" or token.text in WORDS:
            self._next -= 1
            self._fail("a key, which is quoted if it is no plain name, or @id, @tags, @observed_at, ...")
        return token.text

    def _values(self) -> list[object]:
        self._expect("(")
        values: list[object] = []
        while not self._takes(")"):
            if values:
                self._expect(",")
            values.append(self._value())
        return values

    def _value(self) -> object:
        token = self._take()
        if token.kind == "text":
            return _unquoted(token)
        if token.kind == "number":
            return float(token.text) if set(token.text) & set(".eE") else _whole(token)
        if token.text == "time" and self._takes("("):
            return self._time()
        words = {"true": True, "false": False, "null": None}
        if token.text not in words:
            self._next -= 1
            self._fail('a value: a number, a quoted text, true, false, null or time("2025-01-31")')
        return words[token.text]

    def _time(self) -> Instant:
        if self._peek().kind not in ("text", "number"):
            self._fail('a time, such as "2025-01-31" or the seconds since 1970')
        time_us = as_time_us(self._value(), "time")
        self._expect(")")
        return Instant(time_us)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind == "end":
            return token
        self._next += 1
        return token

    def _takes(self, word: str) -> bool:
        token = self._peek()
        taken = token.text == word and token.kind in ("name", "sign")
        self._next += taken
        return taken

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            self._fail(word)

    def _fail(self, wanted: str) -> NoReturn:
        raise _unreadable(self._peek(), wanted)


def _tokens(text: str) -> list[_Token]:
    tokens, place = [], 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = place + len(text[place:end]) - len(text[place:end].lstrip())
            raise _unreadable(_Token("", text[start : start + 20], start), "a key, a value, a sign or a parenthesis")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        place = found.end()
    return [*tokens, _Token("end", "", len(text))]


def _unquoted(token: _Token) -> str:
    inner = token.text
    if inner.startswith("'"):
        inner = '"' + inner[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    try:
        return str(json.loads(inner))
    except ValueError:
        raise _unreadable(token, "a quoted text whose backslashes are those of JSON") from None


def _whole(token: _Token) -> int:
    # So many digits never fit 64 bits, and reading more of them takes long.
    if len(token.text) > 40:
        raise _unreadable(token, "a whole number that fits 64 bits")
    return int(token.text)


def _unreadable(token: _Token, wanted: str) -> Exception:
    came = "the end" if token.kind == "end" else shown(token.text, with_type=False)
    return refused(
        f"the filter has {came} at character {token.place + 1}, where {wanted} is expected; write it {_EXAMPLE}",
        "filter",
        wanted,
        came,
    )
