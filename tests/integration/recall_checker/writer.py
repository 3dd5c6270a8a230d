"""Who observes, supersedes, updates and deletes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from engram import Filter
from engram.errors import EngramError, FailedPrecondition, NotFound
from engram.model.ack import Ack, Deletion
from engram.model.times import now_us
from tests.integration.recall_checker.content import CUES, IDS, LAST, NEVER_US, OBSERVED_MAX, TAGS, TOO_OLD
from tests.integration.recall_checker.life import Deleted, Life, Refused, Vector, Within, Written
from tests.integration.recall_checker.meanings import Meaning
from tests.integration.recall_checker.run import Run
from tests.integration.recall_checker.settling import settle_when_due
from tests.integration.server_process import DIM

_NUMBERS: Final = 10
# Some is due before it is acknowledged, and some before or after it is removed.
_EXPIRES_IN_US: Final = (1000, 2_000_000)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Writer:
    """Writes to any of the spaces by any of their names, over one transport.

    Plain observations go through sessions, of which there is one for each name while it means the same space. All other
    writes are single calls.

    Parameters
    ----------
    run
        The run.
    number
        The number of the writer.
    """

    def __init__(self, run: Run, number: int) -> None:
        self._run = run
        self._number = number
        self._vectors = np.random.default_rng([run.seed, number])
        self._sessions: dict[Meaning, Any] = {}

    async def write(self) -> None:
        """Write until the run is over."""
        acts = {
            self._observe: 30,
            self._observe_if_absent: 8,
            self._observe_if_unchanged: 8,
            self._update: 22,
            self._delete: 20,
            self._delete_passing: 6,
            self._clear: 1,
        }
        while not self._run.is_over:
            await settle_when_due(self._run)
            async with self._run.gate.passing():
                (act,) = self._run.random.choices(list(acts), list(acts.values()))
                await act(self._run.random.choice(self._run.history.names.standing()))

    async def write_last(self, meaning: Meaning, cue: int) -> None:
        """Write what everybody hears of who follows a cue."""
        session, asked_us = await self._session(meaning), now_us()
        ack = await session.observe([LAST], CUES[cue : cue + 1])
        within = Within(asked_us, now_us())
        meaning.life.note_written(
            [Written(generation, LAST, CUES[cue], "", {}, within=within) for generation in _generations(ack, 1)]
        )

    async def close(self) -> None:
        """Close the sessions."""
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def _observe(self, meaning: Meaning) -> None:
        ids = self._run.random.choices(IDS, k=self._run.random.randint(1, OBSERVED_MAX))
        await self._store(await self._session(meaning), meaning.life, ids)

    async def _observe_if_absent(self, meaning: Meaning) -> None:
        ids = self._some_ids()
        with _refusals(meaning.life, ids):
            await self._store(self._client(meaning), meaning.life, ids, [0] * len(ids), if_absent=True)

    async def _observe_if_unchanged(self, meaning: Meaning) -> None:
        ids = self._some_ids()
        expected = [meaning.life.known.get(id, 0) for id in ids]
        with _refusals(meaning.life, ids):
            await self._store(self._client(meaning), meaning.life, ids, expected, expected_generations=expected)

    async def _store(
        self, client: Any, life: Life, ids: Sequence[str], expected: Sequence[int] | None = None, **conditions: Any
    ) -> None:
        vectors, tag, expires_us = self._new_vectors(len(ids)), self._run.random.choice(TAGS), self._new_expiry()
        metadata = {"n": self._run.random.randrange(_NUMBERS)}
        columns: dict[str, Any] = {"tags": [[tag]] * len(ids), "metadata": [metadata] * len(ids)}
        if expires_us is not None:
            columns["expires_at"] = _datetime_of(expires_us)
        asked_us = now_us()
        ack = await client.observe(ids, vectors, **columns, **conditions)
        within = Within(asked_us, now_us())
        wanted: Sequence[int | None] = [None] * len(ids) if expected is None else expected
        life.note_written(
            [
                Written(generation, id, vector, tag, metadata, False, before, expires_us, within)
                for generation, id, vector, before in zip(
                    _generations(ack, len(ids)), ids, vectors, wanted, strict=True
                )
            ]
        )

    async def _update(self, meaning: Meaning) -> None:
        """Change one thing, and leave everything else as it is, whatever that may be."""
        ids = self._some_ids()
        vectors: list[Vector | None] = [None] * len(ids)
        tag: str | None = None
        metadata: dict[str, int] | None = None
        expires_us: int | None = None
        columns: dict[str, Any] = {}
        match self._run.random.randrange(4):
            case 0:
                columns["vectors"] = vectors = self._new_vectors(len(ids))
            case 1:
                tag = self._run.random.choice(TAGS)
                columns["tags"] = [[tag]] * len(ids)
            case 2:
                expires_us = self._new_expiry()
                columns["expires_at"] = None if expires_us is None else _datetime_of(expires_us)
                # None stands for what stays.
                expires_us = NEVER_US if expires_us is None else expires_us
            case _:
                metadata = {"m": self._run.random.randrange(_NUMBERS)}
                columns["metadata"] = [metadata] * len(ids)
        asked_us = now_us()
        with _refusals(meaning.life, ids):
            ack = await self._client(meaning).update(ids, **columns)
            within = Within(asked_us, now_us())
            meaning.life.note_written(
                [
                    Written(generation, id, vector, tag, metadata, True, None, expires_us, within)
                    for generation, id, vector in zip(_generations(ack, len(ids)), ids, vectors, strict=True)
                ]
            )

    async def _delete(self, meaning: Meaning) -> None:
        ids = self._run.random.choices(IDS, k=self._run.random.randint(1, 3))
        acked, asked_us = meaning.life.acked, now_us()
        gone = await self._client(meaning).delete(ids)
        self._note_deleted(meaning.life, gone, tuple(ids), "", acked, asked_us)

    async def _delete_passing(self, meaning: Meaning) -> None:
        tag, acked, asked_us = self._run.random.choice(TAGS), meaning.life.acked, now_us()
        as_of = acked if acked and self._run.random.random() < 0.5 else None
        first = self._run.history.names.moment()
        try:
            gone = await self._client(meaning).delete(filter=Filter(tags={tag}), max_generation=as_of)
        except FailedPrecondition as error:
            if error.code != TOO_OLD:
                raise
            self._run.note_too_old(error, meaning.name, first)
            return
        assert as_of in (None, gone.as_of)
        self._note_deleted(meaning.life, gone, None, tag, acked, asked_us)

    async def _clear(self, meaning: Meaning) -> None:
        acked, asked_us = meaning.life.acked, now_us()
        gone = await self._client(meaning).clear()
        self._note_deleted(meaning.life, gone, None, "", acked, asked_us)

    def _note_deleted(
        self, life: Life, gone: Deletion, ids: tuple[str, ...] | None, tag: str, acked: int, asked_us: int
    ) -> None:
        if gone:
            within = Within(asked_us, now_us())
            life.note_deleted(Deleted(gone.generation, int(gone), ids, tag, gone.as_of, acked, within))

    def _new_expiry(self) -> int | None:
        """When something expires, soon; None: never."""
        chance = self._run.random
        return now_us() + chance.randint(*_EXPIRES_IN_US) if chance.random() < self._run.mix.expiring_share else None

    def _some_ids(self) -> list[str]:
        return self._run.random.sample(IDS, k=self._run.random.randint(1, 3))

    def _new_vectors(self, count: int) -> list[Vector | None]:
        return list(self._vectors.standard_normal((count, DIM)).astype(np.float32))

    def _client(self, meaning: Meaning) -> Any:
        return self._run.client(self._number, meaning.name)

    async def _session(self, meaning: Meaning) -> Any:
        """The client whose session is in the space that a name means; those of names that are over are closed."""
        for over in [each for each in self._sessions if each.is_over]:
            await self._sessions.pop(over).close()
        if meaning not in self._sessions:
            self._sessions[meaning] = await self._run.new_client(self._number, meaning.name)
        return self._sessions[meaning]


def _datetime_of(time_us: int) -> datetime:
    """A time as a datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_us)


def _generations(ack: Ack, count: int) -> range:
    """The generations of the rows of a write."""
    assert ack.exact
    assert ack.last_generation - ack.first_generation + 1 == count
    return range(ack.first_generation, ack.last_generation + 1)


@contextmanager
def _refusals(life: Life, ids: Sequence[str]) -> Iterator[None]:
    """Note a condition that does not hold, which is an answer like any other."""
    acked, asked_us = life.acked, now_us()
    try:
        yield
    except (FailedPrecondition, NotFound) as error:
        life.refused.append(_refused(error, ids, acked, Within(asked_us, now_us())))


def _refused(error: EngramError, ids: Sequence[str], acked: int, within: Within) -> Refused:
    """What an error says of the live version of one of `ids`."""
    assert error.code in ("condition_failed", "missing_ids"), error
    row = int(error.field.partition("[")[2].rstrip("]"))
    return Refused(ids[row], int(error.value) if error.code == "condition_failed" else 0, acked, within)
