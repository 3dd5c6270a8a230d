"""The buffer: bounded, in order, and usable from several threads."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import numpy as np
import pytest

from engram.client.losses import Losses
from engram.client.sending.micro_batch import OpenBatch
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.client.sending.send_buffer import OutboxLimits, SendBuffer
from engram.errors import FailedPrecondition, InvalidInput, Unavailable
from engram.model.ack import Ack
from engram.model.observation_row import ObservationRow
from engram.model.spaces import SpaceConfig
from tests.doubles.batches import row_of

CONFIG = SpaceConfig("test", dim=8, embedder="lexical")
ACK = Ack(1, 1, 1, 1)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def row(number: int = 0, vector: bool = True) -> ObservationRow:
    return row_of(CONFIG, f"id-{number}", np.ones(8) if vector else None, "text")


def ignore(answer: Answer) -> None:
    pass


def batch(count: int, nbytes: int = 0) -> OutgoingBatch:
    return OutgoingBatch(payload=None, count=count, nbytes=nbytes, settle=ignore)


def make(count_max: int = 10, bytes_max: int = 10**6, batch_count: int = 3) -> tuple[SendBuffer, list[None], Clock]:
    rings: list[None] = []
    clock = Clock()
    limits = OutboxLimits(count_max, bytes_max, batch_count=batch_count, linger_ms=2)
    return SendBuffer(limits, lambda: rings.append(None), clock), rings, clock


def settle_next(outbox: SendBuffer, answer: Answer = ACK) -> OutgoingBatch | OpenBatch:
    item = outbox.take()
    outbox.settled(item.index, item.count, item.nbytes, answer)
    return item


def test_rows_leave_when_they_are_enough() -> None:
    outbox, rings, _ = make(batch_count=3)
    for number in range(3):
        assert outbox.try_add_row(row(number), ignore)
    # Rung for the first, so that lingering is timed, and for the one that filled the batch.
    assert len(rings) == 2
    assert outbox.due_s() == 0.0
    assert outbox.take().count == 3


def test_rows_wait_for_others_while_something_is_unanswered() -> None:
    outbox, _, clock = make()
    outbox.try_add_batch(batch(1))
    outbox.take()
    assert outbox.due_s() is None
    outbox.try_add_row(row(), ignore)
    assert outbox.due_s() == pytest.approx(clock.now_s + 0.002)
    assert outbox.next_count() == 1


def test_a_row_leaves_at_once_if_everything_is_answered() -> None:
    outbox, rings, _ = make()
    first = batch(1)
    outbox.try_add_batch(first)
    outbox.take()
    outbox.try_add_row(row(), ignore)
    assert outbox.due_s() != 0.0
    rung = len(rings)
    outbox.settled(first.index, first.count, first.nbytes, ACK)
    assert len(rings) == rung + 1
    assert outbox.due_s() == 0.0
    assert outbox.take().count == 1


def test_rows_leave_when_they_are_large_enough() -> None:
    outbox = SendBuffer(OutboxLimits(batch_bytes=200), lambda: None, Clock())
    outbox.try_add_batch(batch(1))
    outbox.take()
    outbox.try_add_row(row(), ignore)
    assert outbox.due_s() != 0.0
    outbox.try_add_row(row(), ignore)
    assert outbox.due_s() == 0.0


def test_rows_and_batches_keep_their_order() -> None:
    outbox, _, _ = make()
    outbox.try_add_row(row(1), ignore)
    large = batch(4)
    outbox.try_add_batch(large)
    outbox.try_add_row(row(2), ignore)
    first, second, third = outbox.take(), outbox.take(), outbox.take()
    assert isinstance(first, OpenBatch)
    assert isinstance(third, OpenBatch)
    assert (first.rows[0].id, third.rows[0].id) == ("id-1", "id-2")
    assert second is large


def test_rows_with_and_without_vectors_leave_separately() -> None:
    outbox, _, _ = make()
    for vector in (True, False, False):
        outbox.try_add_row(row(vector=vector), ignore)
    assert [outbox.take().count, outbox.take().count] == [1, 2]


@pytest.mark.parametrize(("count", "nbytes"), [(5, 0), (0, 500)])
def test_a_full_outbox_takes_nothing_until_something_is_answered(count: int, nbytes: int) -> None:
    outbox, _, _ = make(count_max=5, bytes_max=500)
    assert outbox.try_add_batch(batch(count or 1, nbytes))
    assert not outbox.try_add_batch(batch(1, 1))
    room = outbox.room(1, 1)
    assert not room.done()
    settle_next(outbox)
    assert room.done()
    assert outbox.try_add_batch(batch(1, 1))


def test_room_that_is_there_is_not_waited_for() -> None:
    outbox, _, _ = make()
    assert outbox.room(1, 1).done()


def test_a_waiter_needs_as_much_room_as_it_said() -> None:
    outbox, _, _ = make(count_max=5)
    outbox.try_add_batch(batch(2))
    outbox.try_add_batch(batch(3))
    room = outbox.room(4, 0)
    settle_next(outbox)
    assert not room.done()
    settle_next(outbox)
    assert room.done()


def test_a_batch_larger_than_the_bounds_goes_alone() -> None:
    outbox, _, _ = make(count_max=5)
    assert outbox.try_add_batch(batch(50))
    assert not outbox.try_add_batch(batch(1))


def test_flushed_waits_for_what_was_added_before_and_for_nothing_else() -> None:
    outbox, _, _ = make()
    assert outbox.flushed().done()
    outbox.try_add_row(row(1), ignore)
    flushed = outbox.flushed()
    assert outbox.due_s() == 0.0, "a flush does not linger"
    outbox.try_add_row(row(2), ignore)
    assert not flushed.done()
    settle_next(outbox)
    assert flushed.done()
    assert outbox.count == 1


def test_flushed_is_not_fooled_by_answers_out_of_order() -> None:
    outbox, _, _ = make()
    outbox.try_add_batch(batch(1))
    outbox.try_add_batch(batch(1))
    flushed = outbox.flushed()
    first, second = outbox.take(), outbox.take()
    outbox.settled(second.index, 1, 0, InvalidInput("bad"))
    assert not flushed.done()
    outbox.settled(first.index, 1, 0, ACK)
    assert flushed.done()


def test_a_cancelled_waiter_is_skipped() -> None:
    outbox, _, _ = make()
    outbox.try_add_batch(batch(1))
    flushed: Future[None] = outbox.flushed()
    flushed.cancel()
    settle_next(outbox)
    assert outbox.count == 0


def test_the_first_error_is_kept_until_it_is_asked_for() -> None:
    outbox, _, _ = make()
    errors = [InvalidInput("first"), InvalidInput("second")]
    for error in errors:
        outbox.try_add_batch(batch(1))
        settle_next(outbox, error)
    assert outbox.take_error() is errors[0]
    assert outbox.take_error() is None


def test_a_closed_outbox_refuses_but_still_gives_out_what_it_holds() -> None:
    outbox, _, _ = make()
    outbox.try_add_row(row(), ignore)
    assert outbox.close() == []
    with pytest.raises(FailedPrecondition, match="client is closed"):
        outbox.try_add_row(row(), ignore)
    assert outbox.take().count == 1


def test_a_failed_outbox_hands_back_what_it_holds_and_wakes_the_waiting() -> None:
    outbox, _, _ = make(count_max=1)
    outbox.try_add_row(row(), ignore)
    room = outbox.room(1, 1)
    left = outbox.close(Unavailable("gone"))
    assert [item.count for item in left] == [1]
    assert room.done()
    with pytest.raises(Unavailable, match="gone"):
        outbox.try_add_batch(batch(1))


def test_many_threads_add_everything_exactly_once_within_the_bounds() -> None:
    outbox, _, _ = make(count_max=16, batch_count=4)
    seen: list[str] = []
    threads = [threading.Thread(target=_produce, args=(outbox, name)) for name in "abcd"]
    for thread in threads:
        thread.start()
    while len(seen) < 4 * 200:
        if outbox.next_count():
            item = outbox.take()
            assert isinstance(item, OpenBatch)
            seen.extend(each.id for each in item.rows)
            assert outbox.count <= 16
            outbox.settled(item.index, item.count, item.nbytes, ACK)
    for thread in threads:
        thread.join(10)
    for name in "abcd":
        assert [each for each in seen if each.startswith(name)] == [f"{name}{number}" for number in range(200)]
    assert (outbox.count, outbox.nbytes) == (0, 0)


def _produce(outbox: SendBuffer, name: str) -> None:
    for number in range(200):
        each = row_of(CONFIG, f"{name}{number}", np.ones(8), "")
        while not outbox.try_add_row(each, ignore):
            outbox.room(1, each.nbytes).result(10)


def test_what_a_caller_was_told_is_no_loss() -> None:
    outbox = SendBuffer(OutboxLimits(), lambda: None, Clock())
    refused = InvalidInput("bad")
    outbox.told(2, ["a", "c"])
    outbox.settled(None, 3, 0, refused, ["a", "b", "c"])
    losses = outbox.take_losses()
    assert (losses.count, losses.first_ids, losses.error) == (1, ["b"], refused)
    outbox.told(1, ["a"])
    outbox.settled(None, 1, 0, refused, ["a"])
    # The end of a batch all of whose rows were answered one by one.
    outbox.settled(None, 0, 0, refused)
    assert outbox.take_losses() == Losses()
    outbox.settled(None, 1, 0, refused, ["a"])
    assert outbox.take_error() is refused


def test_a_large_row_goes_by_itself() -> None:
    """With others, it might be more than a request may be, and all of them would be refused."""
    small, large = row(0), row_of(CONFIG, "large", np.ones(8), "x" * 1000)
    outbox = SendBuffer(OutboxLimits(batch_bytes=1000), lambda: None, Clock())
    for one in (small, large, large, small):
        assert outbox.try_add_row(one, ignore)
    counts = [settle_next(outbox).count for _ in range(4)]
    assert (counts, outbox.count) == ([1, 1, 1, 1], 0)


def test_what_was_never_added_is_a_loss_too() -> None:
    outbox, _, _ = make()
    outbox.lost(5, ["a", "b"], Unavailable("full"))
    assert outbox.take_losses().describe("notes").startswith("5 observations to space notes ('a', 'b', ...)")
    assert outbox.take_losses() == Losses()
