"""Who recalls, in every way there is, now and at named generations."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from engram import Cue, Hits
from engram.errors import EngramError, FailedPrecondition
from engram.model.times import now_us
from tests.integration.compacting_server import LEASE_S
from tests.integration.recall_checker.content import CUES, IDS, TAGS, TOO_OLD, filter_of, found_of
from tests.integration.recall_checker.history import Recalled
from tests.integration.recall_checker.life import Within
from tests.integration.recall_checker.meanings import ABSENT, Meaning
from tests.integration.recall_checker.namer import Namer
from tests.integration.recall_checker.run import Run

_EVERYTHING: Final = 1000


class Question(NamedTuple):
    """What is asked; without a generation, of the newest."""

    cue: int
    tag: str
    count_max: int
    generation: int | None
    batch_size: int

    @property
    def conditions(self) -> Cue:
        """The cue with its filter."""
        return Cue(CUES[self.cue], filter=filter_of(self.tag))


class Answer(NamedTuple):
    """What was found for a cue, or in all if it is None, in batches of which each says its snapshot."""

    cue: int | None
    tag: str
    count_max: int
    batches: Sequence[Hits]
    hides_each: bool = False


Ask = Callable[[Any, Question], Awaitable[list[Answer]]]


async def recall(client: Any, asked: Question) -> list[Answer]:
    """Ask for all hits at once."""
    hits = await client.recall(asked.conditions, asked.count_max, max_generation=asked.generation)
    return [Answer(asked.cue, asked.tag, asked.count_max, [hits])]


async def recall_stream(client: Any, asked: Question) -> list[Answer]:
    """Ask for batches, and let writers in between them."""
    stream = client.recall_stream(asked.conditions, asked.count_max, asked.batch_size, max_generation=asked.generation)
    batches = []
    try:
        async with aclosing(stream):
            async for hits in stream:
                batches.append(hits)
                await asyncio.sleep(0)
    except FailedPrecondition as error:
        _check_refusal(error, is_held=bool(batches))
        raise
    return [Answer(asked.cue, asked.tag, asked.count_max, batches)]


async def recall_many(client: Any, asked: Question) -> list[Answer]:
    """Ask by two cues at once, which have one snapshot."""
    cues = [asked.cue, (asked.cue + 1) % len(CUES)]
    found = await client.recall_many(
        CUES[cues], asked.count_max, filter=filter_of(asked.tag), max_generation=asked.generation
    )
    assert len({hits.generation for hits in found}) == 1
    return [Answer(cue, asked.tag, asked.count_max, [hits]) for cue, hits in zip(cues, found, strict=True)]


async def scan(client: Any, asked: Question) -> list[Answer]:
    """Ask for everything, page by page."""
    scanned = client.scan(filter_of(asked.tag), page_size=asked.batch_size, max_generation=asked.generation)
    pages: list[Hits] = []
    leased_s = asked_s = time.monotonic()
    try:
        async for page in scanned.pages():
            pages.append(page)
            # The next page is asked for now. What it needs is held from the time on at which this one was read.
            leased_s, asked_s = asked_s, time.monotonic()
    except FailedPrecondition as error:
        _check_refusal(error, is_held=bool(pages) and time.monotonic() < leased_s + LEASE_S)
        raise
    return [Answer(None, asked.tag, _EVERYTHING, pages)]


async def look_up(client: Any, asked: Question) -> list[Answer]:
    """Ask for every id."""
    found = await client.get(IDS, asked.generation)
    hits = sorted((hit for hit in found if hit is not None), key=lambda hit: hit.generation)
    return [Answer(None, "", _EVERYTHING, [Hits(hits, found.generation)], hides_each=True)]


_WAYS: Final[dict[Ask, int]] = {recall: 3, recall_stream: 6, recall_many: 1, scan: 1, look_up: 1}


class Reader:
    """Recalls by any name, over one transport, and has names changed now and then.

    Parameters
    ----------
    run
        The run.
    namer
        Changes the names.
    number
        The number of the reader.
    """

    def __init__(self, run: Run, namer: Namer, number: int) -> None:
        self._run = run
        self._namer = namer
        self._number = number

    async def read(self) -> None:
        """Recall until the run is over."""
        chance, mix = self._run.random, self._run.mix
        while not self._run.is_over:
            if chance.random() < mix.naming_share:
                await self._namer.change()
            (ask,) = chance.choices(list(_WAYS), list(_WAYS.values()))
            meaning = chance.choice(self._run.history.names.open())
            await self._ask(ask, meaning, _question(chance, meaning.life.acked, mix.back_max))

    async def _ask(self, ask: Ask, meaning: Meaning, asked: Question) -> None:
        names, life = self._run.history.names, meaning.life
        acked_before = 0 if asked.generation is not None else life.acked
        first, asked_us = names.moment(), now_us()
        try:
            answers = await ask(self._run.client(self._number, meaning.name), asked)
        except EngramError as error:
            if error.code == TOO_OLD:
                _check_names(error, asked, is_scan=ask is scan)
                self._run.note_too_old(error, meaning.name, first)
            else:
                self._turned_away(meaning.name, first, error)
            return
        last, within = names.moment(), Within(asked_us, now_us())
        for answer in answers:
            snapshots = frozenset(batch.generation for batch in answer.batches)
            if not snapshots and asked.generation is not None:
                snapshots = frozenset({asked.generation})
            self._run.note_answer(
                Recalled(
                    name=meaning.name,
                    first=first,
                    last=last,
                    within=within,
                    life=life,
                    acked_before=acked_before,
                    cue=answer.cue,
                    tag=answer.tag,
                    count_max=answer.count_max,
                    generation=asked.generation,
                    snapshots=snapshots,
                    hits=[found_of(hit) for batch in answer.batches for hit in batch],
                    hides_each=answer.hides_each,
                )
            )

    def _turned_away(self, name: str, first: int, error: EngramError) -> None:
        """Check that an error has its reason in a change of names that was under way."""
        history = self._run.history
        history.turned_away += 1
        last = history.names.moment()
        if error.code in ABSENT:
            assert not history.names.is_there(name, first, last), error
        else:
            # The generation, or the cursor, was of the space that had the name before.
            assert error.code in ("invalid_max_generation", "invalid_cursor"), error
            assert len(history.names.lives(name, first, last)) > 1, error


def _check_refusal(error: FailedPrecondition, *, is_held: bool) -> None:
    """Check that what is being read is not refused while it is held for whoever reads it."""
    assert not (is_held and error.code == TOO_OLD), f"what is being read was refused: {error}"


def _check_names(error: EngramError, asked: Question, *, is_scan: bool) -> None:
    """Check that a refusal is of the generation that was named, which the later pages of a scan of now do, too."""
    assert asked.generation == int(error.value) or (is_scan and asked.generation is None), error


def _question(chance: random.Random, acked: int, back_max: int | None) -> Question:
    """A random question to a space in which a generation was acknowledged, or none yet."""
    first = 1 if back_max is None else max(1, acked - back_max)
    return Question(
        cue=chance.randrange(len(CUES)),
        tag=chance.choice(["", "", *TAGS]),
        count_max=chance.choice([1, 5, _EVERYTHING]),
        generation=chance.choice([None, None, acked, chance.randint(first, acked)]) if acked else None,
        batch_size=chance.choice([3, 10, 100]),
    )
