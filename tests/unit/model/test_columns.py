"""The table of columns: the keywords of the calls are its rows, and an unknown keyword names the nearest one."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

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
    check_keywords,
)
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
