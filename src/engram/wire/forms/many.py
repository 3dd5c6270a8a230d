"""Recalls of many cues in JSON and in frames: the arguments, the `ManyQuery` that they make, and the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Cue
from engram.model.hit import Hit, Hits
from engram.model.limits import CUES_MAX, MESSAGE_BYTES_MAX
from engram.model.many.cue_list import CueList, as_cue_list, of_cue, too_many_cues
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.results import answer_too_large
from engram.model.query import RecallQuery
from engram.model.times import as_time_us, iso_time
from engram.wire.forms.hits import hit_objects
from engram.wire.forms.reader import check_known
from engram.wire.forms.recalls import OPTION_FIELDS, FilterObject, cue_of, options_of, read_filter
from engram.wire.forms.received_hits import read_hits
from engram.wire.forms.strict_json import refuse

COUNTS: Final = "counts"
"""The array of a frame with hits of many cues that says how many of them are of each cue."""

_NUMBER_BYTES: Final = 4


class CueForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """One of many cues; the fields are those of `Cue`."""

    vector: list[float] | str | UnsetType | None = UNSET
    text: str | UnsetType | None = UNSET
    by: str | UnsetType | None = UNSET
    filter: FilterObject | UnsetType | None = UNSET
    score_min: float | UnsetType | None = UNSET


RECALL_MANY_FIELDS: Final[list[Any]] = [
    ("cues", list[CueForm] | UnsetType | None, UNSET),
    ("vectors", list[list[float]] | UnsetType | None, UNSET),
    ("filter", FilterObject | UnsetType | None, UNSET),
    *(field for field in OPTION_FIELDS if field[0] != "timeout_ms"),
    ("due_time", str | UnsetType | None, UNSET),
]
"""The arguments of a recall of many cues, as `msgspec.defstruct` takes them."""

MANY_TEXTS: Final[dict[str, str]] = {
    "cues": "The cues, up to 10 000: objects with the cue's arguments of a recall.",
    "vectors": "Instead of cues that are nothing but vectors: these vectors, each a list of numbers.",
    "filter": "Conditions that every hit meets, beside those of its cue.",
    "due_time": "That of an earlier answer, of which this is a further part: what expired by then is left out.",
}
"""What is said about the arguments that a recall of one cue does not have."""


def many_query_of(form: Any, arrays: Mapping[str, NDArray[Any]]) -> ManyQuery:
    """Return the query that the arguments of a recall of many cues make.

    Parameters
    ----------
    form
        An object with the fields `RECALL_MANY_FIELDS`.
    arrays
        The arguments that came as arrays of a frame.

    Raises
    ------
    InvalidInput
        If there are no cues, not even an empty list, or an argument is out of range.
    """
    check_known(arrays, ("vectors",), "arrays.")
    filter = _given(form.filter)
    cue = Cue(filter=NO_FILTER if filter is None else read_filter(filter))
    return ManyQuery(_cues_of(form, arrays), RecallQuery(cue, **options_of(form)), _due_us(_given(form.due_time)))


def many_object(recalled: ManyRecalled, *, vectors: bool) -> dict[str, Any]:
    """Return what JSON shows of the results of many cues.

    Parameters
    ----------
    recalled
        The results.
    vectors
        Whether the hits have their vectors.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if they are too large for an answer.
    """
    objects = iter(hit_objects(all_hits(recalled, vectors=vectors), vectors=vectors))
    results = [
        {"hits": [next(objects) for _ in range(len(hits))], "incomplete": hits.incomplete} for hits in recalled.results
    ]
    return {"results": results, "generation": recalled.generation, **_due_time(recalled)}


def all_hits(recalled: ManyRecalled, *, vectors: bool) -> list[Hit]:
    """Return the hits of all cues, one cue after the other, if what is asked for of them may fit into an answer.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if the vectors alone are too large.
    """
    hits = recalled.hits
    # One hit that has a vector tells the length of all.
    first = next((vector for hit in hits if (vector := hit.vector) is not None), None) if vectors else None
    if first is not None:
        # Known before they are read, of which there may be many times as many as fit.
        nbytes = _NUMBER_BYTES * len(first) * len(hits)
        if nbytes > MESSAGE_BYTES_MAX:
            raise answer_too_large(nbytes, len(recalled.results))
    return hits


def beside_all_hits(recalled: ManyRecalled) -> dict[str, Any]:
    """Return what the header of a frame says about the results of many cues beside their hits."""
    incomplete = [row for row, hits in enumerate(recalled.results) if hits.incomplete]
    return {"generation": recalled.generation, "incomplete_cues": incomplete, **_due_time(recalled)}


def counts_of(recalled: ManyRecalled) -> NDArray[np.int64]:
    """Return the number of hits of each cue: int64, shape ``(n,)``."""
    return np.fromiter(map(len, recalled.results), np.int64, len(recalled.results))


def read_many(text: bytes | memoryview, arrays: Mapping[str, NDArray[Any]]) -> ManyRecalled:
    """Return the results of many cues in a frame.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the columns do not belong together.
    msgspec.ValidationError
        If the header is none of hits.
    """
    form, hits = read_hits(text, arrays)
    counts = arrays.get(COUNTS)
    if counts is None or counts.ndim != 1 or counts.dtype != np.int64:
        refuse("the number of hits of each cue is missing", COUNTS, "int64 of one dimension", "another array, or none")
    ends = np.cumsum(counts).tolist()
    if (counts < 0).any() or (ends[-1] if ends else 0) != len(hits):
        refuse(f"the numbers of hits of the cues are not those of {len(hits)} hits", COUNTS, len(hits), "other numbers")
    incomplete = set(form.incomplete_cues)
    results = [
        Hits(hits[end - count : end], form.generation, row in incomplete)
        for row, (end, count) in enumerate(zip(ends, counts.tolist(), strict=True))
    ]
    return ManyRecalled(results, form.generation, _due_us(form.due_time))


def _due_time(recalled: ManyRecalled) -> dict[str, str]:
    # Only where something expires.
    return {"due_time": iso_time(recalled.due_us)} if recalled.due_us else {}


def _due_us(due_time: str | None) -> int:
    return as_time_us(due_time, "due_time") if due_time else 0


def _cues_of(form: Any, arrays: Mapping[str, NDArray[Any]]) -> CueList:
    listed, vectors = _given(form.cues), arrays.get("vectors")
    if vectors is None:
        vectors = _given(form.vectors)
    elif vectors.dtype != np.float32 or vectors.ndim != 2:
        raise InvalidInput(
            f"the array 'vectors' is of {vectors.dtype} and {vectors.ndim} dimensions",
            code="wrong_type",
            field="arrays.vectors",
            limit="float32 of two dimensions",
            value=f"{vectors.dtype} of {vectors.ndim}",
        )
    if vectors is not None and listed is not None:
        raise InvalidInput(
            "cues come as a list of cues, or as vectors",
            code="invalid_recall",
            field="cues",
            limit="cues or vectors",
            value="both",
        )
    if listed is None and vectors is None:
        raise InvalidInput(
            'there is nothing to recall by; {"cues": []} alone is of no cues',
            code="cue_missing",
            field="cues",
            limit="cues or vectors",
            value="nothing",
        )
    given = vectors if listed is None else listed
    if len(given) > CUES_MAX:
        # Refused before each of them is read.
        raise too_many_cues(len(given))
    if listed is None:
        return as_cue_list(vectors)
    return CueList(listed=[_cue_in(each, row) for row, each in enumerate(listed)])


def _cue_in(form: CueForm, row: int) -> Cue:
    try:
        return cue_of(form, {})
    except InvalidInput as error:
        raise of_cue(error, row) from error


def _given(value: Any) -> Any:
    return None if value is UNSET else value
