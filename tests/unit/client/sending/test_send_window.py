"""The window, one rule at a time."""

from __future__ import annotations

import pytest

from engram.client.sending.outgoing_batch import OutgoingBatch
from engram.client.sending.send_window import SendWindow
from engram.errors import FailedPrecondition, InvalidInput, OverCapacity, SequenceError
from engram.model.ack import Ack


def batch(count: int = 2) -> OutgoingBatch:
    return OutgoingBatch(payload=None, count=count, nbytes=0, settle=lambda answer: None)


def sent(window: SendWindow, *counts: int) -> list[OutgoingBatch]:
    batches = [batch(count) for count in counts]
    for each in batches:
        window.send(each)
    return batches


def test_numbers_start_at_one_and_have_no_gaps() -> None:
    window = SendWindow(100)
    assert [window.send(batch(3)), window.send(batch(1)), window.send(batch(2))] == [1, 4, 5]


def test_a_cumulative_ack_settles_every_batch_with_its_own_generations() -> None:
    window = SendWindow(100)
    first, second, third = sent(window, 2, 3, 4)
    settled = window.accepted(Ack(1, 5, 11, 15))
    assert settled == [(first, Ack(1, 2, 11, 12)), (second, Ack(3, 5, 13, 15))]
    assert window.accepted(Ack(6, 9, 20, 23)) == [(third, Ack(6, 9, 20, 23))]
    assert (window.acked_sequence, len(window), window.flight_count) == (9, 0, 0)


def test_generations_interleaved_with_other_sessions_are_only_a_bound() -> None:
    window = SendWindow(100)
    sent(window, 2, 2)
    acks = [answer for _, answer in window.accepted(Ack(1, 4, 11, 20))]
    assert acks == [Ack(1, 2, 20, 20, exact=False), Ack(3, 4, 20, 20, exact=False)]


def test_an_ack_of_something_old_settles_nothing() -> None:
    window = SendWindow(100)
    sent(window, 2, 2)
    window.accepted(Ack(1, 2, 1, 2))
    assert window.accepted(Ack(1, 2, 1, 2)) == []
    assert window.flight_count == 2


def test_the_flight_is_bounded_but_a_larger_batch_still_goes_alone() -> None:
    window = SendWindow(4)
    assert window.can_send(99)
    window.send(batch(3))
    assert window.can_send(1)
    assert not window.can_send(2)


def test_a_passing_refusal_sends_the_same_numbers_again() -> None:
    window = SendWindow(100)
    first, second, third = sent(window, 2, 2, 2)
    assert window.rejected(3, 4, OverCapacity("full")) == []
    assert window.flight_count == 2
    assert window.rejected(5, 6, SequenceError("gap", expected_sequence=3)) == []
    assert [window.pop_returned(), window.pop_returned(), window.pop_returned()] == [second, third, None]
    assert (window.send(second), window.send(third)) == (3, 5)
    assert [outgoing for outgoing, _ in window.accepted(Ack(1, 6, 1, 6))] == [first, second, third]


def test_a_lasting_refusal_fails_one_batch_and_the_others_move_up() -> None:
    window = SendWindow(100)
    _, second, third = sent(window, 2, 2, 3)
    error = InvalidInput("NaN")
    assert window.rejected(3, 4, error) == [(second, error)]
    assert window.pop_returned() is third
    assert window.send(third) == 3


def test_a_caller_who_asked_for_it_gets_passing_refusals_too() -> None:
    window = SendWindow(100, final=(OverCapacity,))
    first, second = sent(window, 2, 3)
    refusal = OverCapacity("full", retry_after_ms=5)
    assert window.rejected(1, 2, refusal) == [(first, refusal)]
    assert window.pop_returned() is second
    assert window.send(second) == 1


def test_a_refusal_of_an_older_copy_is_not_taken_for_the_newer_one() -> None:
    window = SendWindow(100)
    _, second = sent(window, 2, 2)
    window.rejected(1, 2, OverCapacity("full"))
    for _ in range(2):
        outgoing = window.pop_returned()
        assert outgoing is not None
        window.send(outgoing)
    assert window.rejected(3, 4, SequenceError("gap", expected_sequence=1)) == []
    assert len(window) == 2
    assert not window.has_returned
    assert window.rejected(3, 4, InvalidInput("NaN"))[0][0] is second


def test_what_was_sent_before_an_acknowledged_batch_is_no_longer_stale() -> None:
    window = SendWindow(100)
    first, second = sent(window, 2, 2)
    window.rejected(1, 2, OverCapacity("full"))
    window.pop_returned()
    window.send(first)
    window.accepted(Ack(1, 2, 1, 2))
    window.pop_returned()
    window.send(second)
    # The server never answered the first copy of the second batch, so this answer is about the second copy.
    window.rejected(3, 4, OverCapacity("full"))
    assert window.has_returned


def test_a_gap_sends_from_the_number_that_the_server_expects() -> None:
    window = SendWindow(100)
    first, second, third = sent(window, 2, 2, 2)
    window.rejected(5, 6, SequenceError("gap", expected_sequence=1))
    assert [window.pop_returned(), window.pop_returned(), window.pop_returned()] == [first, second, third]


def test_a_refusal_of_something_not_sent_on_this_connection_changes_nothing() -> None:
    window = SendWindow(100)
    sent(window, 2)
    assert window.rejected(3, 4, OverCapacity("full")) == []
    assert window.flight_count == 2


def test_a_refusal_that_fits_nothing_asks_for_a_reconnect() -> None:
    window = SendWindow(100)
    sent(window, 2, 2)
    window.accepted(Ack(1, 2, 1, 2))
    with pytest.raises(SequenceError, match="acknowledged up to 2") as caught:
        window.rejected(2, 2, OverCapacity("full"))
    assert caught.value.code == "unknown_sequence"


def test_resuming_settles_what_is_durable_and_sends_the_rest_under_the_same_numbers() -> None:
    window = SendWindow(100)
    first, second, third = sent(window, 2, 2, 2)
    window.accepted(Ack(1, 2, 1, 2))
    window.disconnected()
    assert window.flight_count == 0
    settled = window.resumed(4, generation=9)
    assert settled == [(second, Ack(3, 4, 9, 9, exact=False))]
    assert window.pop_returned() is third
    assert window.send(third) == 5
    assert first not in [outgoing for outgoing, _ in settled]


def test_a_named_session_continues_after_what_the_server_has() -> None:
    window = SendWindow(100)
    assert window.resumed(40, generation=40) == []
    assert window.send(batch()) == 41
    assert window.acked_sequence == 40


def test_a_server_that_lost_acknowledged_observations_is_reported() -> None:
    window = SendWindow(100)
    sent(window, 2)
    window.accepted(Ack(1, 2, 1, 2))
    window.disconnected()
    with pytest.raises(FailedPrecondition, match="only up to sequence 1, but acknowledged it up to 2") as caught:
        window.resumed(1, generation=1)
    assert caught.value.code == "lost_future"


def test_a_server_that_has_more_than_was_ever_sent_has_it_of_another_client() -> None:
    window = SendWindow(100)
    window.resumed(10, generation=10)
    sent(window, 2, 2)
    window.rejected(13, 14, OverCapacity("full"))
    window.disconnected()
    # The number was used, though its batch is to be sent again.
    with pytest.raises(FailedPrecondition, match="up to sequence 15, where this client has sent up to 14") as caught:
        window.resumed(15, generation=15)
    assert caught.value.code == "session_taken_over"
    assert len(window) == 2
    assert len(window.resumed(14, generation=14)) == 2


def test_a_server_that_ends_inside_a_batch_is_reported() -> None:
    window = SendWindow(100)
    sent(window, 4)
    window.disconnected()
    with pytest.raises(SequenceError, match="runs on other data") as caught:
        window.resumed(2, generation=2)
    assert caught.value.code == "session_mismatch"
    assert len(window) == 1


def test_abandoning_fails_everything_unanswered_in_order() -> None:
    window = SendWindow(100)
    first, second = sent(window, 2, 2)
    window.rejected(3, 4, OverCapacity("full"))
    error = InvalidInput("over")
    assert window.abandon(error) == [(first, error), (second, error)]
    assert len(window) == 0


def test_an_ack_divides_into_rows() -> None:
    ack = Ack(5, 7, 15, 17)
    assert [ack.row(0), ack.row(2)] == [Ack(5, 5, 15, 15), Ack(7, 7, 17, 17)]
    assert (ack.count, ack.sequence, ack.generation) == (3, 7, 17)
    bound = Ack(5, 7, 20, 20, exact=False)
    assert bound.row(1) == Ack(6, 6, 20, 20, exact=False)
