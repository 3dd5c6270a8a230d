"""Who follows a cue, from space to space as they are dropped, and through their names."""

from __future__ import annotations

from contextlib import aclosing

from engram import Cue
from engram.errors import EngramError
from tests.integration.recall_checker.content import CUES, LAST, SIMILAR, TOLERANCE, TOO_OLD
from tests.integration.recall_checker.life import Heard
from tests.integration.recall_checker.meanings import ABSENT, Meaning
from tests.integration.recall_checker.namer import Namer
from tests.integration.recall_checker.run import Run


class Follower:
    """Hears of all that is like a cue in one of the two spaces that there are.

    In a space that was renamed, it goes on behind the last generation that it was told. If that is no longer retained,
    it begins anew at the oldest that is.

    Parameters
    ----------
    run
        The run.
    namer
        Changes the names.
    slot
        The number of the space.
    cue
        The number of the cue, and of the transport.
    """

    def __init__(self, run: Run, namer: Namer, slot: int, cue: int) -> None:
        self._run = run
        self._namer = namer
        self.slot = slot
        self.cue = cue

    async def follow(self) -> None:
        """Follow until the last observation is heard of."""
        while not await self._follow(self._namer.slots[self.slot]):
            # Once nobody changes names, the space has its next name, or another space has it.
            async with self._run.naming:
                pass

    async def _follow(self, meaning: Meaning) -> bool:
        """Follow while a name means one space; return whether the last observation was heard of."""
        parts = meaning.life.followed.setdefault(self.cue, [Heard(0)])
        heard, since = parts[-1], parts[-1].last
        first = self._run.history.names.moment()
        client = self._run.client(self.cue, meaning.name)
        stream = client.recall_stream(Cue(CUES[self.cue], score_min=SIMILAR), 1, max_generation=since, follow=True)
        is_sure = False
        try:
            async with aclosing(stream):
                async for hits in stream:
                    if not is_sure and meaning.is_over:
                        # It may be of the space that has the name next.
                        return False
                    is_sure = True
                    heard.told += [hit.generation for hit in hits if hit.generation > since]
                    if any(hit.id == LAST and hit.score > 1 - TOLERANCE for hit in hits):
                        return True
        except EngramError as error:
            if error.code != TOO_OLD:
                _check_end(meaning, error)
                return False
            self._run.note_too_old(error, meaning.name, first)
            if not meaning.is_over:
                parts.append(Heard(int(error.limit)))
        return False


def _check_end(meaning: Meaning, error: EngramError) -> None:
    """Check that a stream was ended by a change of names."""
    assert meaning.is_over, error
    assert error.code in {*ABSENT, "invalid_max_generation"}, error
