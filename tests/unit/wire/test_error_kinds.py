"""The names of errors on the wire: which class has which, and what becomes of a class or a name that has none."""

from __future__ import annotations

import pytest

from engram.errors import EngramError, InvalidInput, NotFound
from engram.wire.error_kinds import class_of, kind_of, shorten


class Missing(NotFound):
    """A class that only this process knows."""

    default_code = "missing_here"


@pytest.mark.parametrize("kind", [EngramError, InvalidInput, NotFound])
def test_a_class_is_found_by_its_name(kind: type[EngramError]) -> None:
    assert class_of(kind_of(kind("no", code="a_cause"))) is kind


def test_a_class_without_a_name_is_known_as_its_base() -> None:
    assert class_of(kind_of(Missing("no"))) is NotFound


def test_an_unknown_name_is_a_plain_error() -> None:
    assert class_of("of a later version") is EngramError


def test_texts_are_valid_and_bounded() -> None:
    assert shorten("a\ud800b") == "a?b"
    assert len(shorten("x" * 1000)) == 400
    assert shorten("x" * 400) == "x" * 400
