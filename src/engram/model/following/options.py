"""The keyword arguments of ``follow`` and ``changes``, which are the same in every home, and what they make."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict, Unpack

from engram.errors import EngramError
from engram.model.cue import CueLike, as_cue
from engram.model.limits import RECALL_BATCH_MAX, STREAM_RESULTS_MAX
from engram.model.query import GENERATION_MAX, RecallQuery, check_range
from engram.model.values.scalars import as_flag
from engram.model.waiting.timeouts import as_timeout_s_or_none


class ChangeOptions(TypedDict, total=False):
    """The keyword arguments of ``changes``.

    Parameters
    ----------
    after_generation
        Tell what came after this generation, which must be retained; 0: from the beginning on. None: what comes from
        now on, or with a client, once the first item is asked for.
    timeout_s
        Seconds in all after which the iteration ends, as if there were nothing more, counted from when the first item
        is asked for; at most a day. None: it waits for as long as it takes. Of what is there already, a first batch is
        told within 0 seconds, too; but not by a client that follows after a generation, for which a server has to look
        up what matched. It may not be all: the iterator's ``generation`` says how far it got.
    include_vectors
        Whether the hits have their vectors. The hits of an embedded store always have them, and read them on access.
    skip_damaged
        Whether to leave out what is damaged where it is stored, instead of raising.
    """

    after_generation: int | None
    timeout_s: float | None
    include_vectors: bool
    skip_damaged: bool


class FollowOptions(ChangeOptions, total=False):
    """The keyword arguments of ``follow``: those of `ChangeOptions` and this.

    Parameters
    ----------
    only_new
        Whether to leave out what is there already, as is always done with `after_generation`.
    """

    only_new: bool


@dataclass(frozen=True, slots=True, eq=False)
class FollowPlan:
    """What ``follow`` asks for.

    Parameters
    ----------
    query
        The standing recall.
    only_new
        Whether what it finds first is left out.
    timeout_s
        Seconds after which the iteration ends; None: it does not.
    generation
        Generation after which it begins; 0 if none was named.
    """

    query: RecallQuery
    only_new: bool
    timeout_s: float | None
    generation: int


def follow_plan(cue: CueLike, k: int, **options: Unpack[FollowOptions]) -> FollowPlan:
    """Return what ``follow(cue, k, **options)`` asks for.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or the cue does not say what is similar enough.
    """
    after = as_after_generation(options.get("after_generation"))
    # What is there already was seen, or is not wanted; a recall finds one hit at least.
    only_new = as_flag("only_new", options.get("only_new", False)) or after is not None
    k = check_range("k", k, 1, STREAM_RESULTS_MAX)
    query = RecallQuery(
        as_cue(cue),
        k=1 if only_new else k,
        batch_size=RECALL_BATCH_MAX,
        max_generation=after,
        follow=True,
        skip_damaged=options.get("skip_damaged", False),
        include_vectors=options.get("include_vectors", False),
    )
    return FollowPlan(query, only_new, as_timeout_s_or_none(options.get("timeout_s")), after or 0)


@contextmanager
def naming_after_generation() -> Iterator[None]:
    """Let an error of a standing recall name what its follower passed, which is a recall's `max_generation`."""
    try:
        yield
    except EngramError as error:
        if error.field != "max_generation":
            raise
        told = copy.copy(error)
        told.field = "after_generation"
        told.code = error.code.replace(error.field, told.field)
        told.message = error.message.replace(error.field, told.field)
        told.args = (told.message,)
        raise told from error


def as_after_generation(value: object) -> int | None:
    """Return the argument `after_generation` as an `int`, or None.

    Raises
    ------
    InvalidInput
        If it is neither None nor a generation.
    """
    return None if value is None else check_range("after_generation", value, 0, GENERATION_MAX)
