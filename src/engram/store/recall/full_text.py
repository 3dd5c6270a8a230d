"""Full-text search over the texts of a space, with SQLite's FTS5 (docs/decisions/0004).

The index is built by the first recall by words. Every recall by words first adds the texts up to its snapshot, so an
acknowledged observation is found.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.store.filters.selection import Unreadable
from engram.store.recall.ranked import NOTHING, Ranked

# The index holds no copy of the texts, which are in the log. Porter's stemmer makes "leaks" and "leaking" one word.
_CREATE: Final = "CREATE VIRTUAL TABLE texts USING fts5(content, content='', tokenize='porter unicode61')"
_INSERT: Final = "INSERT INTO texts(rowid, content) VALUES (?, ?)"
_SELECT: Final = "SELECT rowid, -rank FROM texts WHERE texts MATCH ? AND rowid <= ? ORDER BY rank"
_FETCHED: Final = 1000
_TAKEN_RECORDS: Final = 64
# With fewer observations dropped, what is left of them in the index takes less than building it anew.
_DROPPED_MIN: Final = 10_000
# Maximum number of words of a cue that are looked for. A longer cue is rather a text to be embedded.
_WORDS_MAX: Final = 64
_WORD: Final = re.compile(r"\w+")

Passes = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


class FullText:
    """Finds texts by their words. Any thread may use it; calls wait for each other.

    Parameters
    ----------
    log
        The log that has the texts.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._guard = threading.Lock()
        self._database: sqlite3.Connection | None = None
        # Generations of the texts that could not be read when they were to be indexed, and the errors.
        self._damaged: list[Unreadable] = []
        self._indexed = 0
        # Number of observations that were read up to there, with or without a text.
        self._read = 0
        # The horizon of the log when it was last looked at how many of them are left.
        self._horizon = 0

    @property
    def indexed_generation(self) -> int:
        """Generation up to which texts are in the index."""
        return self._indexed

    def best(self, text: str, generation: int, count: int, passes: Passes) -> Ranked:
        """Return the best observations up to `generation` that share words with `text` and pass, best first.

        The scores are those of BM25, which weighs words by how rare they are now, even in a recall of the past.

        Parameters
        ----------
        text
            The words to look for.
        generation
            The snapshot.
        count
            Maximum number of results.
        passes
            Returns for an array of generations (int64) which of them may be found.
        """
        words = words_of(text)
        found = NOTHING
        if words:
            with self._guard:
                for rows in self._matching(" OR ".join(f'"{word}"' for word in words), generation):
                    candidates = Ranked(
                        np.array([row for row, _ in rows], dtype=np.int64),
                        np.array([rank for _, rank in rows], dtype=np.float32),
                    )
                    found = found.then(candidates.where(passes(candidates.generations)))
                    if len(found) >= count:
                        break
        return found.head(count)

    def damaged(self, generation: int, passes: Passes) -> list[Unreadable]:
        """Return the observations up to `generation` that pass and whose texts could not be read, with the errors."""
        if not self._damaged:
            return []
        known = [found for found in self._damaged if found[0] <= generation]
        keep = passes(np.array([one for one, _ in known], dtype=np.int64)).tolist()
        return [found for found, is_kept in zip(known, keep, strict=True) if is_kept]

    def _matching(self, query: str, generation: int) -> Iterator[list[tuple[int, float]]]:
        cursor = self._take_in(generation).execute(_SELECT, (query, generation))
        try:
            while rows := cursor.fetchmany(_FETCHED):
                yield rows
        finally:
            cursor.close()

    def _take_in(self, generation: int) -> sqlite3.Connection:
        self._leave_dropped()
        if self._database is None:
            self._database = open_texts()
        while self._indexed < generation:
            records = list(islice(self._log.records_from(self._indexed + 1), _TAKEN_RECORDS))
            if not records:
                # What was there has been dropped.
                self._indexed = generation
                break
            indexed, read = self._indexed, self._read
            with self._database:
                for record in records:
                    if record.kind is RecordKind.OBSERVE:
                        # A compaction may have joined it with rows that are in the index.
                        first = record.rows_until(indexed)
                        add_texts(self._database, readable_texts(record, first, record.count, self._damaged))
                        read += record.count - first
                    indexed = record.last_generation
            # Set only after the transaction, because records that are rolled back were not added.
            self._indexed, self._read = indexed, read
        return self._database

    def _leave_dropped(self) -> None:
        """Begin anew if compactions of the log have dropped as much as a good part of what is in the index."""
        horizon = self._log.horizon.generation
        if self._database is None or horizon == self._horizon:
            return
        self._horizon = horizon
        left = sum(
            record.rows_until(self._indexed) for record in self._log.records() if record.kind is RecordKind.OBSERVE
        )
        if self._read - left > max(_DROPPED_MIN, left):
            self._database.close()
            self._database = None
            self._damaged = []
            self._indexed = self._read = 0


def open_texts() -> sqlite3.Connection:
    """Return an empty index of texts in memory, which splits and stems words as all of them do."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    # What it sorts would otherwise go to a file, which cannot be opened while descriptors are short.
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute(_CREATE)
    return database


def add_texts(database: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Add texts to an index, each with its generation."""
    database.executemany(_INSERT, texts)


def words_of(text: str) -> list[str]:
    """Return the words of a cue that are looked for, each once."""
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))[:_WORDS_MAX]


def readable_texts(record: Record, first: int, until: int, damaged: list[Unreadable]) -> list[tuple[int, str]]:
    """Return the texts of a record's rows from `first` to before `until` that can be read, with their generations.

    Empty ones are left out. `damaged` receives the others.
    """
    try:
        texts = zip(record.generations[first:until].tolist(), record.contents()[first:until], strict=True)
        return [(generation, text) for generation, text in texts if text]
    except CorruptData:
        readable = []
    for row in range(first, until):
        try:
            readable.append((record.generation(row), record.content(row)))
        except CorruptData as error:
            damaged.append((record.generation(row), error))
    return [(generation, text) for generation, text in readable if text]
