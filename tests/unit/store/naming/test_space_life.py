"""The end of a space's life: everybody who uses it is told."""

from __future__ import annotations

import pytest

from engram.errors import EngramError, FailedPrecondition, NotFound
from engram.model.operations.naming_errors import space_dropped, unknown_space
from engram.store.naming.space_life import SpaceLife

DROPPED = space_dropped("notes")


def test_each_caller_gets_its_own_error() -> None:
    life = SpaceLife()
    life.check()
    assert not life.is_over
    life.end(DROPPED)
    assert life.is_over
    raised = []
    for _ in range(2):
        with pytest.raises(FailedPrecondition, match="'notes' has been dropped") as refusal:
            life.check()
        raised.append(refusal.value)
    assert raised[0] is not raised[1]
    assert raised[0].code == "space_dropped"


def test_the_first_end_counts() -> None:
    life = SpaceLife()
    told: list[EngramError] = []
    life.when_ended(told.append)
    life.end(DROPPED)
    life.end(unknown_space("other"))
    assert [error.code for error in told] == ["space_dropped"]
    with pytest.raises(FailedPrecondition):
        life.check()


def test_listeners_are_told_once_also_if_they_come_late_and_another_fails() -> None:
    life = SpaceLife()
    told: list[EngramError] = []

    def fail(error: EngramError) -> None:
        raise RuntimeError("it is a test")

    life.when_ended(fail)
    life.when_ended(told.append)
    gone = life.when_ended(told.append)
    gone()
    gone()
    life.end(DROPPED)
    assert len(told) == 1
    life.when_ended(told.append)()
    assert len(told) == 2


def test_what_is_found_of_a_space_that_ends_meanwhile_is_not_used() -> None:
    life = SpaceLife()
    assert life.during(lambda: 7) == 7
    with pytest.raises(NotFound):
        life.during(lambda: _raise(unknown_space("notes")))

    def find() -> int:
        life.end(DROPPED)
        return 7

    with pytest.raises(FailedPrecondition):
        life.during(find)
    with pytest.raises(FailedPrecondition):
        life.during(lambda: 7)


def test_an_error_that_the_end_explains_is_not_raised() -> None:
    life = SpaceLife()

    def find() -> int:
        life.end(DROPPED)
        return _raise(unknown_space("notes"))

    with pytest.raises(FailedPrecondition):
        life.during(find)


def _raise(error: EngramError) -> int:
    raise error
