"""Shares of clients: each has its own, and the last quarter of all is for those who have little."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from engram.errors import OverCapacity
from engram.server.clients.client_shares import FEW, ClientShares


def shares(client_max: int, all_max: int) -> ClientShares:
    return ClientShares("things", "things_of_client", client_max, all_max)


def take(stack: ExitStack, kept: ClientShares, client: str, count: int) -> int:
    """Take until `count` are taken or one is refused; return how many were taken."""
    for taken in range(count):
        try:
            stack.enter_context(kept.one_more(client))
        except OverCapacity:
            return taken
    return count


def test_a_client_has_its_share_and_no_more() -> None:
    kept = shares(3, 1000)
    with ExitStack() as stack:
        assert take(stack, kept, "a", 10) == 3
        assert take(stack, kept, "b", 10) == 3
        with pytest.raises(OverCapacity) as caught, kept.one_more("a"):
            pass
        error = caught.value
        assert (error.code, error.field, error.limit, error.value) == ("things_of_client", "client", "3", "4")
        assert error.is_transient
        assert error.retry_after_ms
    with ExitStack() as stack:
        assert take(stack, kept, "a", 10) == 3


def test_what_fails_in_the_body_gives_its_place_back() -> None:
    kept = shares(1, 1000)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), kept.one_more("a"):
            raise ZeroDivisionError


def test_the_last_quarter_is_for_those_who_have_little() -> None:
    kept = shares(200, 1000)
    with ExitStack() as stack:
        # Four greedy clients cannot take all that there is, however much each may have.
        assert [take(stack, kept, name, 300) for name in "abcd"] == [200, 200, 200, 150]
        assert take(stack, kept, "a", 1) == 0
        assert [take(stack, kept, f"small {number}", 300) for number in range(5)] == [FEW] * 5
    with ExitStack() as stack:
        assert take(stack, kept, "a", 300) == 200


def test_a_share_below_few_stays_what_it_is() -> None:
    kept = shares(2, 4)
    with ExitStack() as stack:
        assert [take(stack, kept, name, 5) for name in "abc"] == [2, 2, 2]


def test_clients_that_cannot_be_told_apart_are_not_refused() -> None:
    kept = shares(1, 8)
    with ExitStack() as stack:
        assert take(stack, kept, "", 100) == 100
