"""Objects are read at about the cost of looking at every byte once: long lists of numbers are searched for nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engram.errors import InvalidInput
from engram.wire.forms.many import RECALL_MANY_FIELDS
from engram.wire.forms.observations import CONDITION_FIELDS, MANY_FIELDS, ONE_FIELDS, read_observations
from engram.wire.forms.reader import _numeric_fields
from engram.wire.forms.recalls import RECALL_FIELDS


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (ONE_FIELDS, "vector"),
        (MANY_FIELDS, "vectors"),
        (MANY_FIELDS, "confidences"),
        (RECALL_FIELDS, "vector"),
        (RECALL_MANY_FIELDS, "vectors"),
        (CONDITION_FIELDS, "expected_generations"),
    ],
)
def test_lists_of_numbers_are_not_looked_through(fields: list[Any], name: str) -> None:
    form = msgspec.defstruct("_Form", fields, kw_only=True)
    assert name in _numeric_fields(form)


def test_a_key_that_occurs_twice_is_found_beside_vectors_that_are_missing() -> None:
    batch, *_ = read_observations(b'{"ids":["a:1","b"],"vectors":[[1,2],null],"contents":[null,"c: d"]}')
    assert list(batch.ids) == ["a:1", "b"]
    for twice in (
        b'{"ids":["a"],"vectors":[null],"vectors":[[1,2]]}',
        b'{"ids":["a:1"],"contents":[null],"contents":["x"]}',
    ):
        with pytest.raises(InvalidInput) as refused:
            read_observations(twice)
        assert refused.value.code == "malformed_message"
