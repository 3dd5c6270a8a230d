"""Requests about the names of spaces, and the errors about them."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.operations.naming import DropAlias, DropSpace, ListAliases, RenameSpace, SetAlias
from engram.model.operations.naming_errors import GONE, unknown_alias, unknown_space, without_advice
from engram.model.operations.operation import check_space_is_named
from engram.model.operations.requests import CreateSpace, Get, Observe
from engram.model.operations.table import DROP_SPACE, OPERATIONS, SPACE
from engram.model.spaces import SpaceConfig
from tests.doubles.batches import batch_of


@pytest.mark.parametrize("name", ["", "No", "a/b", "n" * 65, None, 7])
def test_names_that_cannot_be_are_refused(name: Any) -> None:
    makers: list[tuple[Any, str]] = [(RenameSpace, "new"), (SetAlias, "to")]
    for make, field in makers:
        with pytest.raises(InvalidInput) as refusal:
            make("notes", name)
        assert (refusal.value.code, refusal.value.field) == ("invalid_space_name", field)


def test_a_request_says_all_names_that_it_is_about() -> None:
    assert RenameSpace("notes", "renamed").further_spaces == ("renamed",)
    assert SetAlias("current", "notes").further_spaces == ("notes",)
    assert (DropSpace("notes").further_spaces, ListAliases().space_name) == ((), None)


def test_only_what_is_about_a_space_may_name_it_by_an_alias() -> None:
    about_names = {name for name, each in OPERATIONS.items() if not each.request.by_alias}
    assert about_names == {"drop_space", "rename_space", "set_alias", "drop_alias"}
    assert about_names == {name for name, each in OPERATIONS.items() if each.names_space}


def test_the_same_request_about_another_space() -> None:
    assert Get("current", ["a"], 7).for_space("notes") == Get("notes", ["a"], 7)
    assert DropAlias("current", "key").for_space("other") == DropAlias("other", "key")
    observed = Observe("current", batch_of(["a", "b"]), expected_generations=(7, 0)).for_space("notes")
    assert (observed.space, observed.batch.ids, observed.expected_generations) == ("notes", ["a", "b"], (7, 0))
    config = SpaceConfig("current", 16, "l2")
    assert CreateSpace(config).for_space("notes") == CreateSpace(SpaceConfig("notes", 16, "l2"))


def test_a_name_is_wanted_where_the_default_space_would_be_lost() -> None:
    check_space_is_named(SPACE, "")
    check_space_is_named(DROP_SPACE, "notes")
    for nothing in ("", None):
        with pytest.raises(InvalidInput) as refusal:
            check_space_is_named(DROP_SPACE, nothing)
        assert (refusal.value.code, refusal.value.field) == ("missing_field", "space")


def test_the_nearest_name_is_offered() -> None:
    known = ["notes", "other", *(f"note-{number:04}" for number in range(2000))]
    assert "did you mean 'notes'?" in unknown_space("note", known[:2]).message
    assert "did you mean 'note-0007'?" in unknown_space("note-0007x", known).message
    assert unknown_space("xyz", known).message == "there is no space 'xyz'"
    assert unknown_space("note", known[:2], create=None).message == (
        "there is no space 'note'; did you mean 'notes'? Pass a setting, such as dim=384, to make one"
    )
    assert unknown_space("xyz", known, create=None).message == (
        "there is no space 'xyz'; pass a setting, such as dim=384, to make one"
    )
    alias = unknown_alias("currant", ["current"])
    assert "did you mean 'current'?" in alias.message
    assert without_advice(alias).message == "there is no alias 'currant'"
    hidden = without_advice(unknown_space("note", known[:2]))
    assert (hidden.message, hidden.code, hidden.value) == ("there is no space 'note'", "unknown_space", "note")
    assert hidden.code in GONE
