"""Which new texts have all words of a cue, split and stemmed as a recall by words does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.model.limits import BATCH_BYTES_MAX
from engram.store.filters.selection import Unreadable
from engram.store.recall.full_text import add_texts, open_texts, readable_texts, words_of
from engram.store.scans.runs import reach, spans_between

_SELECT: Final = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid"


class WordMatches:
    """Matches the texts of some neighbouring observations; one thread may use it, within `word_matches`.

    The index of words of a space would do the same, but it has all texts of the space in memory. This one has a few,
    no more than `words_reach` allows, and only for as long as they are matched. It is made when the first cue asks for
    it.

    Parameters
    ----------
    log
        The log that has the texts.
    first, last
        Generations of the observations, both included.
    """

    def __init__(self, log: Log, first: int, last: int) -> None:
        self._log = log
        self._first = first
        self._last = last
        self._database: sqlite3.Connection | None = None
        self._unreadable: list[Unreadable] = []

    def chosen(self, text: str, passing: NDArray[np.int64], unclear: list[Unreadable]) -> NDArray[np.int64]:
        """Return those of the observations that pass a filter which have all words of `text`: int64, ascending.

        Parameters
        ----------
        text
            The words. A text without any has no match, as in a recall.
        passing
            The observations that pass the filter: int64, ascending.
        unclear
            Has, by generation, the observations of which damage decides whether they pass the filter. Afterwards it has
            those of which damage decides whether they match.
        """
        # A word of underscores has no part that the index knows, and so none that could be missing.
        words = [word for word in words_of(text) if word.strip("_")]
        if not words:
            unclear.clear()
            return passing[:0]
        having = self._having(words)
        passed = set(passing.tolist())
        possible = {*having.tolist(), *(generation for generation, _ in self._unreadable)}
        left = [(generation, error) for generation, error in unclear if generation in possible]
        left += [(generation, error) for generation, error in self._unreadable if generation in passed]
        unclear[:] = sorted(left, key=lambda one: one[0])
        return passing[np.isin(passing, having)]

    def close(self) -> None:
        """Free the texts."""
        if self._database is not None:
            self._database.close()

    def _having(self, words: list[str]) -> NDArray[np.int64]:
        query = " AND ".join(f'"{word}"' for word in words)
        rows = self._texts().execute(_SELECT, (query,)).fetchall()
        return np.array([generation for (generation,) in rows], dtype=np.int64)

    def _texts(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = open_texts()
            for record, row, rows in spans_between(self._log, self._first, self._last):
                if record.kind is RecordKind.OBSERVE:
                    add_texts(self._database, readable_texts(record, row, row + rows, self._unreadable))
        return self._database


@contextmanager
def word_matches(log: Log, first: int, last: int) -> Iterator[WordMatches]:
    """Return what matches the texts of the observations from `first` to `last` by words."""
    matches = WordMatches(log, first, last)
    try:
        yield matches
    finally:
        matches.close()


def words_reach(log: Log, first: int, last: int) -> int:
    """Return up to which generation the texts of observations from `first` on are matched together, `last` at most."""
    return reach(log, first, last, BATCH_BYTES_MAX)


def chosen_by_words(
    log: Log, text: str, first: int, last: int, passing: NDArray[np.int64], unclear: list[Unreadable]
) -> NDArray[np.int64]:
    """Return what `WordMatches.chosen` does for one cue and any number of observations, some of which at a time."""
    found, left = [passing[:0]], list[Unreadable]()
    while first <= last:
        until = words_reach(log, first, last)
        doubtful = [one for one in unclear if first <= one[0] <= until]
        with word_matches(log, first, until) as words:
            found.append(words.chosen(text, passing[(first <= passing) & (passing <= until)], doubtful))
        left += doubtful
        first = until + 1
    unclear[:] = left
    return np.concatenate(found)
