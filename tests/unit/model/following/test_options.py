"""What `follow` and `changes` ask for, by their arguments."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.cue import Cue, Filter
from engram.model.filters.filter import NO_FILTER
from engram.model.following.follow_changes import FollowChanges, changes_request
from engram.model.following.options import follow_plan, naming_after_generation

NEAR = Cue(np.ones(8, np.float32), score_min=0.5)


def test_a_plan_follows_with_large_batches() -> None:
    plan = follow_plan(NEAR, 7, include_vectors=True, skip_damaged=True, timeout_s=2)
    query = plan.query
    assert (query.follow, query.k, query.batch_size, query.max_generation) == (True, 7, 100, None)
    assert (query.include_vectors, query.skip_damaged) == (True, True)
    assert (plan.only_new, plan.timeout_s, plan.generation) == (False, 2.0, 0)


@pytest.mark.parametrize(("after", "only_new"), [(None, True), (3, False), (0, True)])
def test_what_is_there_is_not_looked_for_if_it_is_not_wanted(after: int | None, only_new: bool) -> None:
    plan = follow_plan(NEAR, 7, after_generation=after, only_new=only_new)
    assert (plan.query.k, plan.query.max_generation) == (1, after)
    assert (plan.only_new, plan.generation) == (True, after or 0)


def test_who_passes_a_text_alone_is_told_what_to_pass() -> None:
    with pytest.raises(
        InvalidInput, match="what is similar enough; pass a Cue with score_min, or one by words"
    ) as refused:
        follow_plan("pump", 3)
    assert (refused.value.code, refused.value.field) == ("invalid_recall", "score_min")


@pytest.mark.parametrize("k", [0, 2**31])
def test_a_plan_that_leaves_out_what_is_there_still_needs_a_number_of_hits(k: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        follow_plan(NEAR, k, only_new=True)
    assert refused.value.code == "invalid_k"
    assert follow_plan(NEAR, 2**31 - 1).query.k == 2**31 - 1


def test_an_error_names_what_the_follower_passed() -> None:
    with (
        pytest.raises(FailedPrecondition, match="after_generation is 3, which is gone") as refused,
        naming_after_generation(),
    ):
        raise FailedPrecondition(
            "max_generation is 3, which is gone", code="snapshot_expired", field="max_generation", limit=5, value=3
        )
    error = refused.value
    assert (error.message, error.code, error.field) == (str(error), "snapshot_expired", "after_generation")
    assert (error.limit, error.value) == ("5", "3")
    other = FailedPrecondition("it is closed", code="closed")
    with pytest.raises(FailedPrecondition) as refused, naming_after_generation():
        raise other
    assert refused.value is other


def test_changes_are_asked_for_with_a_filter_in_any_form() -> None:
    assert changes_request("notes", None) == FollowChanges("notes")
    assert FollowChanges("notes").filter == NO_FILTER
    tagged = Filter(tags={"x"})
    assert changes_request("notes", tagged, after_generation=0, skip_damaged=True) == FollowChanges(
        "notes", 0, tagged, skip_damaged=True
    )
    assert not changes_request("notes", {"deck": 2}).filter.is_open
    assert FollowChanges("notes").follows
