"""Waiting until what is stored is linked into the graph, wherever the space is."""

from __future__ import annotations

import math
from time import monotonic
from typing import Final

from engram.errors import InvalidInput, Unavailable
from engram.model.query import GENERATION_MAX, check_range
from engram.model.waiting.timeouts import as_timeout_s

INDEX_WAIT_S: Final = 60.0
"""Seconds that a wait may take if nothing else is said."""

# A graph that has little to do is ready in a few milliseconds, and one that has much need not be asked so often.
_FIRST_S: Final = 0.001
_DELAY_S_MAX: Final = 0.1


class IndexWait:
    """Says when to look again at how far the graph of a space is. It begins when it is made.

    Parameters
    ----------
    generation
        Generation up to which everything is to be linked, as a caller passes it; None for the newest.
    newest
        The newest generation of the space.
    timeout_s
        Seconds that the wait may take, as a caller passes them; None for no limit.

    Raises
    ------
    InvalidInput
        If the generation is none, or yet to come, or `timeout_s` is not a time.
    """

    def __init__(self, generation: object, newest: int, timeout_s: object) -> None:
        self._timeout_s = math.inf if timeout_s is None else as_timeout_s(timeout_s)
        self.generation: Final = newest if generation is None else _checked(generation, newest)
        self._deadline_s = monotonic() + self._timeout_s
        self._delay_s = _FIRST_S

    def next_s(self, indexed: int) -> float | None:
        """Return the seconds after which to look again, if everything up to `indexed` is linked by now; None if done.

        Raises
        ------
        Unavailable
            With code ``index_timeout``, if the time is over.
        """
        if indexed >= self.generation:
            return None
        left_s = self._deadline_s - monotonic()
        if left_s <= 0:
            raise Unavailable(
                f"everything up to generation {indexed} is linked, and not up to {self.generation} within "
                f"{self._timeout_s:g} s; recalls find it all the same",
                code="index_timeout",
                field="timeout_s",
                limit=self._timeout_s,
                value=indexed,
            )
        delay_s, self._delay_s = self._delay_s, min(2 * self._delay_s, _DELAY_S_MAX)
        return min(delay_s, left_s)


def _checked(generation: object, newest: int) -> int:
    wanted = check_range("generation", generation, 0, GENERATION_MAX)
    if wanted > newest:
        raise InvalidInput(
            f"generation {wanted} is yet to come; the newest is {newest}",
            code="invalid_generation",
            field="generation",
            limit=newest,
            value=wanted,
        )
    return wanted
