"""When observations expire, in JSON and in frames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.observations import ObservationBatch, make_batch
from engram.model.operations.changes import take_changes
from engram.model.operations.table import OBSERVE, UPDATE
from engram.model.operations.updates import Update
from engram.model.values.expiry import NEVER_US, NOT_SAID_US, as_ttl_us
from engram.wire.forms.observations import read_observations
from engram.wire.forms.requests import RequestReader

VECTOR = [0.5] * 8


def expiries(**fields: Any) -> list[int] | None:
    batch: ObservationBatch = read_observations(json.dumps(fields).encode())[0]
    return None if batch.expires_us is None else batch.expires_us.tolist()


def changed(**fields: Any) -> list[int] | None:
    request = RequestReader(UPDATE).read(json.dumps(fields).encode(), "notes")
    assert isinstance(request, Update)
    column = request.changes.columns.get("expires_us")
    return None if column is None else column.tolist()


def test_one_observation_says_it_in_either_way() -> None:
    assert expiries(id="a", vector=VECTOR, expires_at="1970-01-01T00:00:05Z") == [5_000_000]
    assert expiries(id="a", vector=VECTOR, expires_at=5) == [5_000_000]
    assert expiries(id="a", vector=VECTOR, ttl=0.5) == [as_ttl_us(0.5)]
    assert expiries(id="a", vector=VECTOR, ttl="never") == [NEVER_US]
    assert expiries(id="a", vector=VECTOR) is expiries(id="a", vector=VECTOR, expires_at=None, ttl=None) is None


def test_many_say_it_in_either_way() -> None:
    both: dict[str, Any] = {"ids": ["a", "b"], "vectors": [VECTOR] * 2}
    assert expiries(**both, expires_at=["1970-01-01T00:00:05Z", None]) == [5_000_000, NOT_SAID_US]
    assert expiries(**both, expires_at="1970-01-01T00:00:05Z") == expiries(**both, expires_at=5) == [5_000_000] * 2
    assert expiries(**both, ttl=5) == [as_ttl_us(5)] * 2
    assert expiries(**both, ttl=[5, None]) == [as_ttl_us(5), NOT_SAID_US]
    assert expiries(**both, ttl=["never", 5]) == [NEVER_US, as_ttl_us(5)]
    assert expiries(**both, ttl="never") == [NEVER_US] * 2
    assert expiries(**both) is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ttl": -1}, "invalid_ttl"),
        ({"ttl": "soon"}, "invalid_ttl"),
        ({"ttl": 1, "expires_at": 1}, "invalid_ttl"),
        ({"expires_at": "soon"}, "invalid_time"),
    ],
)
def test_what_is_neither_is_refused(fields: dict[str, Any], code: str) -> None:
    many = {name: [value] for name, value in fields.items()}
    for given in ({"id": "a", "vector": VECTOR, **fields}, {"ids": ["a"], "vectors": [VECTOR], **many}):
        with pytest.raises(InvalidInput) as refused:
            expiries(**given)
        assert refused.value.code == code


def test_in_an_update_null_is_never() -> None:
    assert changed(ids=["a"], expires_at=None) == changed(ids=["a"], expires_at=[None]) == [NEVER_US]
    assert changed(ids=["a", "b"], expires_at=[5, None]) == [5_000_000, NEVER_US]
    assert changed(ids=["a", "b"], expires_at=5) == [5_000_000] * 2
    assert changed(ids=["a"], contents=["x"]) is None


def test_an_array_of_a_frame_is_the_column() -> None:
    column = np.array([5, NEVER_US, as_ttl_us(1)], np.int64)
    header = {"ids": ["a", "b", "c"], "contents": ["x"] * 3}
    request: Any = RequestReader(OBSERVE).read(json.dumps(header).encode(), "notes", {"expires_at": column})
    assert request.batch.expires_us.tolist() == column.tolist()
    request = RequestReader(UPDATE).read(json.dumps({"ids": ["a", "b", "c"]}).encode(), "notes", {"expires_at": column})
    assert request.changes.columns["expires_us"].tolist() == column.tolist()
    assert make_batch(["a"], [VECTOR], ttl=[1]).expires_us.tolist() == [as_ttl_us(1)]  # type: ignore[union-attr]
    assert take_changes((["a"],), {"ttl": [1]}).columns["expires_us"].tolist() == [as_ttl_us(1)]
