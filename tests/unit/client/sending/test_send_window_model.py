"""Whatever a network and a server do, the window stores everything once, in order, and answers everything once."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.client.sending.send_window import SendWindow, Settled
from engram.errors import EngramError, InvalidInput
from engram.model.ack import Ack
from tests.unit.client.model_server import ModelServer, Sent


class Batch(OutgoingBatch):
    """A batch of consecutive integers; a bad one is always refused."""

    def __init__(self, rows: tuple[int, ...], bad: bool) -> None:
        super().__init__(payload=(rows, bad), count=len(rows), nbytes=0, settle=lambda answer: None)
        self.rows = rows
        self.bad = bad


class WindowAgainstServer(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.window = SendWindow(flight_count_max=12)
        self.waiting: deque[Batch] = deque()
        self.given: list[Batch] = []
        self.answers: dict[int, Answer] = {}
        self.next_row = 0

    # ---- what the client does ---------------------------------------------------------------------------------

    @rule(count=st.integers(1, 5), bad=st.integers(0, 5).map(lambda n: n == 0))
    def give(self, count: int, bad: bool) -> None:
        batch = Batch(tuple(range(self.next_row, self.next_row + count)), bad)
        self.next_row += count
        self.given.append(batch)
        self.waiting.append(batch)

    @rule()
    def send(self) -> None:
        batch = self.window.pop_returned()
        if batch is None:
            if self.window.has_returned or not self.waiting or not self.window.can_send(self.waiting[0].count):
                return
            batch = self.waiting.popleft()
        assert isinstance(batch, Batch)
        first = self.window.send(batch)
        self.server.upstream.append(Sent(first, batch.rows, batch.bad))

    @precondition(lambda self: self.server.downstream)
    @rule()
    def receive(self) -> None:
        response = self.server.downstream.popleft()
        if isinstance(response, Ack):
            self.settle(self.window.accepted(response))
        else:
            self.settle(self.window.rejected(response.first, response.last, response.error))

    # ---- what the server and the network do -------------------------------------------------------------------

    @precondition(lambda self: self.server.upstream)
    @rule(full=st.integers(0, 4).map(lambda n: n == 0))
    def read(self, full: bool) -> None:
        self.server.read(full)

    @precondition(lambda self: self.server.admitted)
    @rule(fail=st.integers(0, 6).map(lambda n: n == 0))
    def commit(self, fail: bool) -> None:
        self.server.commit(fail)

    @rule()
    def merge(self) -> None:
        self.server.merge_acks()

    @rule()
    def other_session_commits(self) -> None:
        self.server.foreign_generations += 1

    @rule(restart=st.booleans())
    def reconnect(self, restart: bool) -> None:
        if restart:
            self.server.restart()
        else:
            self.server.lose_connection()
        self.window.disconnected()
        self.settle(self.window.resumed(self.server.durable, self.server.generation))

    # ---- what must hold ---------------------------------------------------------------------------------------

    def settle(self, settled: list[Settled]) -> None:
        for batch, answer in settled:
            assert isinstance(batch, Batch)
            assert batch.rows[0] not in self.answers, "answered twice"
            self.answers[batch.rows[0]] = answer
            if isinstance(answer, Ack):
                stored = tuple(self.server.stored[answer.first_sequence - 1 : answer.last_sequence])
                assert stored == batch.rows, "acknowledged under numbers that hold something else"
                generations = self.server.generations[answer.first_sequence - 1 : answer.last_sequence]
                if answer.exact:
                    assert generations == list(range(answer.first_generation, answer.last_generation + 1))
                elif answer.generation:
                    assert generations[-1] <= answer.generation
            else:
                assert isinstance(answer, InvalidInput)
                assert batch.bad

    @invariant()
    def stored_in_order_and_once(self) -> None:
        assert all(a < b for a, b in zip(self.server.stored, self.server.stored[1:], strict=False))

    @invariant()
    def flight_is_bounded(self) -> None:
        assert self.window.flight_count <= 12

    def teardown(self) -> None:
        """Without further trouble everything gets its answer, in a bounded number of steps."""
        for _ in range(4 * len(self.given) + 20):
            self.send()
            if self.server.upstream:
                self.server.read()
            if self.server.admitted:
                self.server.commit()
            while self.server.downstream:
                self.receive()
        good = [row for batch in self.given if not batch.bad for row in batch.rows]
        assert self.server.stored == good
        assert set(self.answers) == {batch.rows[0] for batch in self.given}
        for batch in self.given:
            assert isinstance(self.answers[batch.rows[0]], EngramError if batch.bad else Ack)


TestWindowAgainstServer = WindowAgainstServer.TestCase
TestWindowAgainstServer.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
