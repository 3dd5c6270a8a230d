"""Conditions of an `observe`: the generation that the live version of each id must have for anything to be stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias, cast

import numpy as np

from engram.errors import InvalidInput
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.query import GENERATION_MAX
from engram.model.values.ids import check_distinct_ids
from engram.model.values.scalars import as_flag, as_whole
from engram.model.values.sequences import as_list, wrong_length

Expected: TypeAlias = int | Sequence[int] | None
"""The generation of the live version of all ids, or of each; 0: there must be none. None: no condition."""

_FIELD: Final = "expected_generations"
_CODE: Final = "invalid_condition"
_ABSENT: Final = 0
# What stands for one number, good or bad; everything else must be a list.
_SINGLE: Final = (int, float, complex, np.generic)


class ConditionalFields(ObservationFields, total=False):
    """The keywords of an `observe` of one observation: its fields, and the conditions on which it is stored.

    Parameters
    ----------
    if_absent
        Store it only if its id is not alive.
    expected_generations
        Store it only if the live version of its id has this generation; 0: only if the id is not alive.
    """

    if_absent: bool
    expected_generations: int | None


class ConditionalColumns(ObservationColumns, total=False):
    """The keywords of an `observe` of many observations: their columns, and the conditions on which all are stored.

    Parameters
    ----------
    if_absent
        Store them only if none of their ids is alive.
    expected_generations
        Store them only if the live version of each id has this generation: one for all, or one each; 0: only if the id
        is not alive.
    """

    if_absent: bool
    expected_generations: Expected


def expected_of(ids: Sequence[str], if_absent: object, expected_generations: object) -> tuple[int, ...] | None:
    """Return the generation that the live version of each of `ids` must have; None if there is no condition.

    Parameters
    ----------
    ids
        The ids, which are texts.
    if_absent, expected_generations
        The conditions as a caller passes them.

    Raises
    ------
    InvalidInput
        If the conditions are none, or both are given, or an id occurs twice.
    """
    is_absent = as_flag("if_absent", if_absent)
    if expected_generations is None:
        return as_expected(_ABSENT, ids) if is_absent else None
    if is_absent:
        raise InvalidInput(
            "if_absent says that no id is alive; pass it without expected_generations, in which 0 says the same",
            code=_CODE,
            field="if_absent",
            limit="if_absent or expected_generations",
            value="both",
        )
    return as_expected(expected_generations, ids)


def as_expected(expected_generations: object, ids: Sequence[str]) -> tuple[int, ...]:
    """Return one generation for each of `ids`; one alone is that of all.

    Raises
    ------
    InvalidInput
        If there is another number of them than of ids, if one is no generation, or if an id occurs twice: its second
        row would always supersede the first.
    """
    if isinstance(expected_generations, _SINGLE):
        one = as_whole(_FIELD, expected_generations, _ABSENT, GENERATION_MAX, code=_CODE)
        expected = [one] * len(ids)
    else:
        given = as_list(_FIELD, cast("Iterable[Any]", expected_generations), "[7, 0]", count_max=len(ids))
        if len(given) != len(ids):
            raise wrong_length(_FIELD, len(given), len(ids))
        expected = [
            as_whole(f"{_FIELD}[{row}]", each, _ABSENT, GENERATION_MAX, code=_CODE) for row, each in enumerate(given)
        ]
    check_distinct_ids(ids)
    return tuple(expected)
