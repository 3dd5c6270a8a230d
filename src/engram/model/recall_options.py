"""The keyword arguments of recalls, which are the same in every home, and the queries that they make."""

from __future__ import annotations

from typing import TypedDict, Unpack

from engram.model.cue import CueLike, as_cue
from engram.model.limits import STREAM_RESULTS_MAX
from engram.model.query import BATCH_DEFAULT, RecallQuery, check_range
from engram.model.strength import Strength
from engram.model.times import Moment, as_time_us

STREAM_COUNT_DEFAULT = 100


class RecallOptions(TypedDict, total=False):
    """The keyword arguments of ``recall``.

    Parameters
    ----------
    max_generation
        Recall as of this generation; None: the newest.
    snapshot_time
        Recall as of this time instead: seconds since 1970, a datetime (UTC without a time zone) or another `Moment`. A
        time to come means now.
    ef
        Breadth of the graph search, 1 to 10 000: a larger value finds more of the true nearest and takes longer. It is
        four times as large if the cue has a filter.
    strength
        Ranking by memory strength; None: by the score of the cue.
    include_vectors
        Whether the hits have their vectors. The hits of an embedded store always have them, and read them on access.
    skip_damaged
        Whether to leave out observations whose stored bytes are damaged, instead of raising. The result is then marked
        as ``incomplete``.
    """

    max_generation: int | None
    snapshot_time: Moment | None
    ef: int | None
    strength: Strength | None
    include_vectors: bool
    skip_damaged: bool


class SnapshotRecallOptions(TypedDict, total=False):
    """The keyword arguments of ``recall`` of a snapshot, as in `RecallOptions`."""

    ef: int | None
    strength: Strength | None
    include_vectors: bool
    skip_damaged: bool


class RecallStreamOptions(RecallOptions, total=False):
    """The keyword arguments of ``recall_stream``: those of `RecallOptions` and these.

    Parameters
    ----------
    include_recent
        Whether batches after the first may also hold observations that are committed while the recall runs. Such hits
        are marked as ``recent``.
    follow
        Whether to wait for new observations that match, after the last batch. Each of them is returned once, in the
        order of generations, until the stream is closed. A cue by similarity then needs a `score_min`, if it has a
        vector or a text; by words, what has all words of the text matches.
    timeout_ms
        Milliseconds after which the recall fails; the time spent following does not count. None: no limit.
    """

    include_recent: bool
    follow: bool
    timeout_ms: int | None


class SnapshotStreamOptions(SnapshotRecallOptions, total=False):
    """The keyword arguments of ``recall_stream`` of a snapshot, as in `RecallStreamOptions`."""

    include_recent: bool
    timeout_ms: int | None


def recall_query(cue: CueLike, k: int, **options: Unpack[RecallStreamOptions]) -> RecallQuery:
    """Return the query for up to `k` hits.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or two arguments contradict each other.
    """
    return stream_query(cue, k, BATCH_DEFAULT, **options)


def stream_query(cue: CueLike, k: int, batch_size: int, **options: Unpack[RecallStreamOptions]) -> RecallQuery:
    """Return the query for up to `k` hits in batches of up to `batch_size`.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or two arguments contradict each other.
    """
    moment = options.get("snapshot_time")
    return RecallQuery(
        as_cue(cue),
        k=check_range("k", k, 1, STREAM_RESULTS_MAX),
        batch_size=batch_size,
        max_generation=options.get("max_generation"),
        snapshot_us=None if moment is None else as_time_us(moment, "snapshot_time"),
        ef=options.get("ef"),
        include_recent=options.get("include_recent", False),
        follow=options.get("follow", False),
        strength=options.get("strength"),
        timeout_ms=options.get("timeout_ms"),
        skip_damaged=options.get("skip_damaged", False),
        include_vectors=options.get("include_vectors", False),
    )
