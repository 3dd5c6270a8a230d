"""The table of columns: the keywords of the calls are its rows, and an unknown keyword names the nearest one."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.columns import (
    COLUMNS,
    EMBED,
    MANY_KEYWORDS,
    ONE_KEYWORDS,
    ColumnSpec,
    ObservationColumns,
    ObservationFields,
    ShareSpec,
    check_keywords,
)
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch

# Calls take the contents by position, too, so they are spelled out in the signatures.
BY_KEYWORD = [spec for spec in COLUMNS if spec.name != "contents"]


def test_the_keywords_of_the_calls_are_those_of_the_table() -> None:
    # The time to live is another way to say when an observation expires; the other is said of the whole call.
    assert list(get_type_hints(ObservationColumns)) == [*(spec.plural for spec in BY_KEYWORD), "ttl", EMBED]
    assert list(get_type_hints(ObservationFields)) == [*(spec.singular for spec in BY_KEYWORD), "ttl", EMBED]
    assert not ObservationColumns.__required_keys__ | ObservationFields.__required_keys__


def test_a_batch_has_the_columns_of_the_table() -> None:
    columns = [item.name for item in fields(ObservationBatch) if item.init]
    assert columns == ["ids", "vectors", *(spec.name for spec in COLUMNS), "vector_presence", "text_presence", "embeds"]


@pytest.mark.parametrize("spec", COLUMNS, ids=lambda spec: spec.name)
def test_what_was_not_passed_is_the_same_for_one_and_for_many(spec: ColumnSpec) -> None:
    blanks, blank = spec.blanks(3), spec.blank()
    if blanks is None:
        assert spec.gather([blank] * 3) is None
        return
    if spec.singular == "timestamp":
        assert abs(int(blanks[0]) - blank) < 60_000_000
    else:
        assert list(blanks) == [blank] * 3
    if spec.dtype is not None:
        assert (blanks.dtype, blanks.shape) == (spec.dtype, (3,))


@pytest.mark.parametrize(
    ("given", "known", "nearest"),
    [
        ("importance", MANY_KEYWORDS, "importances"),
        ("timestamps", ONE_KEYWORDS, "timestamp"),
        ("content", MANY_KEYWORDS, "contents"),
        ("vektor", ONE_KEYWORDS, "vector"),
        ("conf", MANY_KEYWORDS, "confidences"),
    ],
)
def test_an_unknown_keyword_names_the_nearest_one(given: str, known: tuple[str, ...], nearest: str) -> None:
    with pytest.raises(InvalidInput, match=f"nearest is '{nearest}'") as caught:
        check_keywords(["tags", given], known)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("unknown_argument", given, given)


def test_known_keywords_pass() -> None:
    check_keywords(MANY_KEYWORDS, MANY_KEYWORDS)
    check_keywords((), ONE_KEYWORDS)


@pytest.mark.parametrize("spec", [spec for spec in COLUMNS if isinstance(spec, ShareSpec)], ids=lambda spec: spec.name)
def test_shares_that_many_batches_have_cannot_be_changed(spec: ShareSpec) -> None:
    blanks = spec.blanks(3)
    assert blanks is spec.blanks(3)
    with pytest.raises(ValueError, match="read-only"):
        blanks[0] = 2.0
    spec.check_values(blanks)
    # Any other array is looked at, also one of the same size.
    with pytest.raises(InvalidInput, match="must be in"):
        spec.check_values(np.full(3, 2.0, np.float32))
    with pytest.raises(InvalidInput, match="must be in"):
        spec.check_values(np.full(BATCH_COUNT_MAX + 1, 2.0, np.float32))


def test_shares_of_more_than_a_request_are_not_kept() -> None:
    (spec, _) = (spec for spec in COLUMNS if isinstance(spec, ShareSpec))
    assert spec.blanks(BATCH_COUNT_MAX) is spec.blanks(BATCH_COUNT_MAX)
    large = spec.blanks(BATCH_COUNT_MAX + 1)
    assert large is not spec.blanks(BATCH_COUNT_MAX + 1)
    spec.check_values(large)
