"""What is done to the space: sessions observe the same ids again and again, and secrets are deleted and erased."""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram import RetentionPolicy, Space
from engram.errors import EngramError
from engram.model.observations import make_batch
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.compaction.pace import Pace

SPACE: Final = "notes"
DIM: Final = 16
RETENTION: Final = RetentionPolicy(None, 300)
_SESSIONS: Final = ("left", "right")
_IDS: Final = 40
_ROWS: Final = 7
# So many sequence numbers are sent once more at the beginning of a life: they are duplicates.
_REPEATED: Final = 30
# A session that ended with its life goes on so many lives later, when its rows have left the log.
_LATER: Final = 2
_MARKED_COUNT: Final = 3
_ERASED: Final = 6
_NUMBERS_PER_LIFE: Final = 1000
_MARKED: Final = "-secret"


class Kind(StrEnum):
    """What a step does."""

    ROWS = "rows"
    SECRETS = "secrets"
    DELETION = "deletion"
    ERASURE = "erasure"
    COMPACTION = "compaction"


class Step(NamedTuple):
    """One step of the story.

    Parameters
    ----------
    kind
        What it does.
    numbers
        The sequence numbers of the rows, or the numbers of the secrets.
    session
        The session of the rows.
    """

    kind: Kind
    numbers: tuple[int, ...] = ()
    session: str = ""


class Taken(NamedTuple):
    """The answer to a step: the last generation of what is new, and how much is; 0 if nothing is."""

    generation: int = 0
    row_count: int = 0


class Story:
    """The steps of one life: from one opening of the space to the next interruption.

    Parameters
    ----------
    space
        The space.
    life
        Number of the life, from 1 on.
    """

    def __init__(self, space: Space, life: int) -> None:
        self._space = space
        self._life = life
        self._thorough = itertools.cycle((True, False))
        self._numbers = itertools.count(_NUMBERS_PER_LIFE * life)
        # What may be erased, the oldest first; also what the lives before this one have left.
        self._secrets = deque(secret_number(hit.id) for hit in space.snapshot().scan() if is_secret(hit.id))

    def steps(self) -> Iterator[Step]:
        """Yield the steps, without end. Each is to be taken before the next one is asked for."""
        yield _rows(short_session(self._life), 1)
        if self._life > _LATER:
            # Once more, and on from there.
            yield _rows(short_session(self._life - _LATER), 1)
            yield _rows(short_session(self._life - _LATER), 1 + _ROWS)
        durable = {session: self._space._engine.durable_sequence(session) for session in _SESSIONS}
        firsts = {session: max(durable[session] + 1 - _REPEATED, 1) for session in _SESSIONS}
        for turn in itertools.count():
            for session in _SESSIONS:
                yield _rows(session, firsts[session])
                firsts[session] += _ROWS
            yield from self._steps_between(turn)

    def take(self, step: Step) -> Taken:
        """Take a step; return what was answered."""
        space, ids = self._space, [secret_id(number) for number in step.numbers]
        if step.kind is Kind.ROWS:
            return self._send(step)
        if step.kind is Kind.SECRETS:
            texts = [secret_text(number) for number in step.numbers]
            ack = space.observe(ids, np.array([vector_of(text) for text in texts]), texts)
            return Taken(ack.last_generation, ack.count)
        if step.kind is Kind.DELETION:
            deletion = space.delete(ids)
            return Taken(deletion.generation, int(deletion))
        if step.kind is Kind.ERASURE:
            space.erase(ids)
            return Taken()
        space._engine.retention.advance()
        space._engine.log_compaction.run(Pace(0, lambda: True), thorough=next(self._thorough))
        return Taken()

    def _steps_between(self, turn: int) -> Iterator[Step]:
        if turn % 3 == 0:
            new = tuple(itertools.islice(self._numbers, _MARKED_COUNT))
            self._secrets.extend(new)
            yield Step(Kind.SECRETS, new)
        if turn % 3 == 1:
            yield Step(Kind.DELETION, (self._secrets[-1],))
        if turn % 4 == 3:
            yield Step(Kind.COMPACTION)
        if turn % 6 == 5:
            yield Step(Kind.ERASURE, tuple(self._secrets.popleft() for _ in range(_ERASED)))

    def _send(self, step: Step) -> Taken:
        engine, rows = self._space._engine, rows_of(step.session, step.numbers)
        texts = [text for _, text in rows]
        batch = make_batch([id for id, _ in rows], np.array([vector_of(text) for text in texts]), texts)
        answer: Future[CommitResult] = Future()

        def done(outcome: CommitResult | EngramError) -> None:
            if isinstance(outcome, EngramError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        request = CommitRequest(
            space=engine,
            batch=engine.prepare(batch),
            session=step.session,
            first_sequence=step.numbers[0],
            writer=1,
            done=done,
        )
        engine._submit(request)
        result = answer.result()
        return Taken(result.last_generation, result.count) if result.count else Taken()


def short_session(life: int) -> str:
    """Return the session that a life begins, and that goes on when its rows have left the log."""
    return f"short-{life}"


def next_short_session(life: int) -> str:
    """Return the session that goes on in the life behind this one."""
    return short_session(life + 1 - _LATER)


def rows_of(session: str, numbers: tuple[int, ...]) -> list[tuple[str, str]]:
    """Return the ids and the texts of sequence numbers; short sessions share their ids."""
    name, _, life = session.partition("-")
    count = _ROWS if life else _IDS
    return [(f"{name}-{one % count}", f"{session} {one} {'and so on ' * (one % 13)}") for one in numbers]


def secret_id(number: int) -> str:
    """Return the id of a secret; it begins as no other does, and as its text."""
    return f"{number:08x}{_MARKED}"


def secret_text(number: int) -> str:
    """Return the text of a secret."""
    return f"{number:08x} is what nobody is to know of"


def is_secret(id: str) -> bool:
    """Return whether an id is that of a secret."""
    return id.endswith(_MARKED)


def secret_number(id: str) -> int:
    """Return the number of the secret with this id."""
    return int(id.removesuffix(_MARKED), 16)


@cache
def traces_of(number: int) -> tuple[bytes, ...]:
    """Return what files have of a secret: its id, its text and its vector."""
    text = secret_text(number)
    return secret_id(number).encode(), text.encode(), vector_of(text).tobytes()


def vector_of(text: str) -> NDArray[np.float32]:
    """Return the vector that goes with a text."""
    return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIM).astype(np.float32)


def _rows(session: str, first: int) -> Step:
    return Step(Kind.ROWS, tuple(range(first, first + _ROWS)), session)
