"""What careless callers pass, tried in the place of every argument of every public method.

A method is asked with valid arguments but one. What is refused must be refused by a typed error; only what stands in
`TAKEN` for an argument may be taken. An argument or a method that no table knows fails the test.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from engram.errors import EngramError
from engram.model.columns import MANY_KEYWORDS


def _nothing(*_: object) -> None:
    """A function, which takes anything and returns nothing."""


DIM_OF_NONE: Final = 4097
BAD: Final[dict[str, Any]] = {
    "None": None,
    "a fraction": 3.5,
    "a whole float": 3.0,
    "one": 1,
    "a negative number": -1,
    "a huge number": 10**30,
    "True": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a complex number": 1j,
    "an empty text": "",
    "a text": "a text",
    "a huge text": "x" * 70_000,
    "half a character": "\ud800",
    "bytes": b"bytes",
    "an empty list": [],
    "a list of texts": ["a", "b"],
    "a list of None": [None],
    "a list of lists": [["a"]],
    "a mapping": {},
    "a set": {1},
    "an object": object(),
    "a class": int,
    "a function": _nothing,
    "an array without dimensions": np.array(5),
    "a vector of another length": np.ones(DIM_OF_NONE),
    "a vector of NaN": np.full(2, np.nan),
    "a cube": np.ones((1, 1, 1)),
    "an array of objects": np.array([object()]),
}


def _nested(levels: int) -> dict[str, Any]:
    """A filter of so many negations."""
    found: dict[str, Any] = {"deck": 1}
    for _ in range(levels):
        found = {"not": found}
    return found


@functools.cache
def worse_values() -> dict[str, dict[str, Any]]:
    """By argument, what is bad beside what is bad for all: of a wrong length, huge, or NaN, and further inside.

    Made when it is asked for, because it is large. Vectors have 16 numbers.
    """
    # More than any message has.
    huge = "x" * 45_000_000
    few_texts = {"a list with bytes": [b"a"], "a list of fractions": [0.5]}
    shares = {"too many numbers": [0.5] * 5, "NaN in a list": [float("nan")], "a number above 1": [2]}
    return {
        "filter": {
            "a filter of a million nodes": {"or": [{"deck": 1}] * 1_000_000},
            "a filter that is too deep": _nested(100_000),
            "a filter with an unknown key": {"op": "eq", "of": "age", "value": 1},
            "a filter with an unknown operator": {"deck": {"$gt": 1}},
            "a filter with a set": {"deck": {1}},
        },
        "ids": few_texts,
        "id": few_texts,
        "vectors": {"too many vectors": np.ones((5, 16)), "a vector of zeros": np.zeros((1, 16))},
        "contents": {"too many texts": ["a"] * 5, "a huge text in a list": [huge], "a list with bytes": [b"a"]},
        "timestamps": {"too many times": [1.0] * 5, "NaN in a list": [float("nan")], "milliseconds": [1.7e12]},
        "confidences": shares,
        "importances": shares,
        "expires_at": {
            "too many times": [1.0] * 5,
            "NaN in a list": [float("nan")],
            "milliseconds": [1.7e12],
            "a duration": timedelta(seconds=1),
        },
        "ttl": {
            "too many durations": [1] * 5,
            "NaN in a list": [float("nan")],
            "a negative number in a list": [-1],
            "a thousand years": 3.2e10,
            "a time": datetime(2100, 1, 1, tzinfo=UTC),
        },
        "embed": {"a list of flags": [True], "a word for no": "no"},
        "metadata": {
            "too many objects": [{}] * 5,
            "NaN in an object": [{"a": float("nan")}],
            "a huge object": [{"a": huge}],
            "a set in an object": [{"a": {1}}],
        },
        "tags": {"too many rows": [["a"]] * 5, "too many tags": [["a"] * 1000], "a huge tag": [[huge]]},
        "expected_generations": {"too many numbers": [1] * 5, "a fraction in a list": [0.5]},
        "cue": {"NaN in a cue": np.full(16, np.nan), "a cue of zeros": np.zeros(16), "a list of cues": [np.ones(16)]},
        "cues": {
            "one cue": np.ones(16),
            "NaN in a cue": np.full((1, 16), np.nan),
            "None among cues": [np.ones(16), None],
        },
        "keys": {"too many keys": [str(number) for number in range(65)]},
        "fields": {"an unknown field": "vector"},
    }


TAKEN_AS_IT_IS: Final = "is taken"
TYPED_KEYWORD: Final = ("unknown_argument", "invalid_arguments")


def arguments_of(method: Callable[..., Any]) -> list[str]:
    """The names of the arguments of a method; the columns of observations are spelled out."""
    names = []
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            names += [keyword for keyword in MANY_KEYWORDS if keyword not in names]
        elif name != "self":
            names.append(name)
    return names


def public_methods(kind: type) -> set[str]:
    """The names of the methods of a class that callers use."""
    return {
        name
        for name in dir(kind)
        if not name.startswith("_") and callable(getattr(kind, name)) and not isinstance(getattr(kind, name), type)
    }


def outcome_of(call: Callable[..., object], arguments: Mapping[str, Any]) -> str:
    """What becomes of a call: nothing to say if it is refused as it should be, else what happens instead."""
    try:
        call(**arguments)
    except EngramError as error:
        return "" if error.message and error.code else "is refused without a word"
    except Exception as error:
        return f"raises {type(error).__name__}: {str(error)[:200]}"
    return TAKEN_AS_IT_IS


def problems_of(
    method: Callable[..., Any],
    call: Callable[..., object],
    valid: Mapping[str, Any],
    taken: Mapping[str, Iterable[str]],
    state: Callable[[], object] = lambda: None,
    more: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    *,
    ends: bool = False,
    renew: Callable[[], object] = lambda: None,
) -> list[str]:
    """Call a method with every bad value in the place of every argument, and return what is wrong with the outcomes.

    Parameters
    ----------
    method
        The method, of which the signature counts.
    call
        Calls it, and waits for what it returns.
    valid
        Valid arguments.
    taken
        By argument, the names of what it takes, perhaps.
    state
        What a refused call must not change.
    more
        By argument, further bad values, such as `worse_values`.
    ends
        Whether a call that is not refused ends the use of the object. What may be taken is left out then.
    renew
        Called after each call that was taken: has again what the valid arguments need.
    """
    problems = [f"{name} is in no table" for name in arguments_of(method) if name not in taken]
    before = state()
    for name in arguments_of(method):
        may_be_taken = set() if ends else set(taken.get(name, ()))
        bad = {**BAD, **more.get(name, {})}
        refused = [label for label in bad if label not in taken.get(name, ())]
        for label in refused:
            outcome = outcome_of(call, {**valid, name: bad[label]})
            if outcome:
                problems.append(f"{name}: {label} {outcome}")
        # The state of a server takes longer to ask for than all that is refused, so all of an argument are asked after.
        if state() != before:
            problems.append(f"{name}: something is stored of {', '.join(refused)}")
        for label in may_be_taken & bad.keys():
            before = state()
            outcome = outcome_of(call, {**valid, name: bad[label]})
            if outcome == TAKEN_AS_IT_IS:
                renew()
            elif outcome or state() != before:
                problems.append(f"{name}: {label} {outcome or 'is refused, and something is stored'}")
        before = state()
    try:
        call(**valid, no_such_argument=1)
    except TypeError:
        pass
    except EngramError as error:
        if error.code not in TYPED_KEYWORD:
            problems.append(f"an unknown keyword is {error.code}")
    else:
        problems.append("an unknown keyword is taken")
    return problems
