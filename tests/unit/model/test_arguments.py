"""What a caller passes: which observations are meant, and that they are the caller's no longer."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.arguments import ManyObservations, OneObservation, arguments_of, take_existing, take_observations
from engram.model.columns import COLUMNS, MANY_KEYWORDS, ONE_KEYWORDS
from engram.model.observations import ObservationBatch, has_vectors, make_batch
from engram.model.spaces import SpaceConfig

CONFIG = SpaceConfig("notes", dim=8)


def taken(*arguments: Any, **keywords: Any) -> ObservationBatch:
    return take_observations(arguments, keywords).batch(CONFIG)


class Lent:
    """A foreign array that lends its memory, as those of other libraries do."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lend", [lambda array: array, Lent, memoryview, lambda array: array[:]])
def test_a_batch_shares_no_memory_with_the_caller(dtype: Any, lend: Any) -> None:
    vectors, shares = np.ones((3, 8), dtype), np.full(3, 0.5, dtype)
    times = np.arange(3).astype("datetime64[us]")
    given = (list("abc"), lend(vectors))
    batch = taken(*given, confidences=Lent(shares), importances=shares, timestamps=times)
    one = taken("a", lend(vectors[0]))
    vectors[:], shares[:], times[:] = np.nan, np.nan, np.datetime64(7, "us")
    assert (batch.vectors == 1).all()
    assert (one.vectors == 1).all()
    assert (batch.confidences == 0.5).all()
    assert (batch.importances == 0.5).all()
    assert batch.times_us.tolist() == [0, 1, 2]


def test_lists_are_the_callers_too() -> None:
    ids, contents, tags, metadata = ["a"], ["t"], [["x"]], [{"n": 1}]
    batch = taken(ids, np.ones((1, 8)), contents, tags=tags, metadata=metadata)
    ids[0] = contents[0] = tags[0][0] = "changed"
    metadata[0]["n"] = 2
    assert (batch.ids, batch.contents, batch.tags, batch.metadata) == (["a"], ["t"], [["x"]], ['{"n":1}'])


@pytest.mark.parametrize(
    ("keyword", "plural"),
    [*((spec.singular, spec.plural) for spec in COLUMNS if spec.singular != "timestamp"), ("ttl", "ttl")],
)
def test_none_is_not_given(keyword: str, plural: str) -> None:
    bare, one = taken("a", np.ones(8), timestamp=1), taken("a", np.ones(8), timestamp=1, **{keyword: None})
    many = taken(["a"], np.ones((1, 8)), timestamps=[1], **{plural: None})
    for batch in (one, many):
        for spec in COLUMNS:
            assert list(getattr(batch, spec.name) or ()) == list(getattr(bare, spec.name) or ())


def test_none_is_now() -> None:
    assert abs(taken("a", np.ones(8), timestamp=None).times_us[0] - taken("b", np.ones(8)).times_us[0]) < 1e9


def test_only_none_is_no_vector() -> None:
    assert not has_vectors(taken("a", None, "text"))
    assert not has_vectors(taken("a"))
    assert taken(["a", "b"], None, ["t", "u"]).vectors.shape == (2, 0)


@pytest.mark.parametrize(
    ("ids", "vectors", "code", "field"),
    [
        ("a", [], "dimension_mismatch", "vector"),
        ("a", np.empty(0), "dimension_mismatch", "vector"),
        ("a", np.ones((1, 8)), "dimension_mismatch", "vector"),
        ("a", 5, "dimension_mismatch", "vector"),
        ("a", "text", "invalid_vector", "vector"),
        (["a"], [], "dimension_mismatch", "vectors"),
        (["a"], [[]], "dimension_mismatch", "embedding"),
        (["a", "b"], np.empty((0, 8)), "column_length", "vectors"),
        (["a"], np.empty((5, 0)), "column_length", "vectors"),
        (["a"], np.ones((1, 7)), "dimension_mismatch", "embedding"),
    ],
)
def test_an_empty_array_is_not_no_vector(ids: Any, vectors: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        taken(ids, vectors, "text" if ids == "a" else ["text"] * len(ids))
    assert (refusal.value.code, refusal.value.field) == (code, field)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (("a", np.ones(8), "t"), {"ids": ["x"]}),
        ((), {"id": "a", "ids": "b", "vector": np.ones(8)}),
        (("a",), {"id": "b"}),
        ((), {"id": None}),
        ((None, None, None), {}),
        ((), {"ids": None, "contents": None}),
        ((), {}),
    ],
)
def test_an_id_is_given_once(arguments: Any, keywords: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        take_observations(arguments, keywords)
    assert refusal.value.code == "invalid_arguments"


@pytest.mark.parametrize(("ids", "names"), [("a", ONE_KEYWORDS), (["a"], MANY_KEYWORDS)])
def test_an_unknown_argument_is_refused_with_each_known_one(ids: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="there is no argument 'text'") as caught:
        taken(ids=ids, text="x")
    assert str(caught.value).endswith(f"all are {', '.join(names)}")


def test_ids_may_name_one() -> None:
    assert isinstance(take_observations((), {"ids": "a"}), OneObservation)
    assert isinstance(take_observations((), {"ids": ["a"]}), ManyObservations)


@pytest.mark.parametrize("vectors", [np.ones((1, 8), np.float32), np.empty((1, 0), np.float32)])
def test_a_batch_can_be_passed_on(vectors: Any) -> None:
    batch = make_batch(["a"], vectors, ["t"], tags=[["x"]])
    passed = taken(**arguments_of(batch))
    np.testing.assert_array_equal(passed.vectors, batch.vectors)
    assert (passed.ids, passed.times_us.tolist(), passed.tags) == (batch.ids, batch.times_us.tolist(), batch.tags)


ONE = np.ones(8)
TWO = np.ones((2, 8))


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((), {"vector": ONE, "content": "t"}),
        ((), {"content": "t"}),
        ((), {"id": None, "vector": ONE}),
        ((), {"ids": None, "vector": ONE}),
        ((), {"metadata": {"n": 1}, "confidence": 0.5}),
        ((None, ONE), {}),
        ((None, ONE.tolist(), "t"), {}),
        ((None, None, "t"), {"tags": ["x"]}),
    ],
)
def test_one_without_an_id_gets_one(arguments: Any, keywords: Any) -> None:
    one, another = take_observations(arguments, keywords), take_observations(arguments, keywords)
    assert isinstance(one, OneObservation)
    assert one.made_ids == (one.id,)
    assert one.id < another.made_ids[0]
    assert list(one.batch(CONFIG).ids) == [one.id]


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((), {"vectors": TWO, "contents": ["t", "u"]}),
        ((), {"vectors": TWO}),
        ((), {"contents": (text for text in "tu")}),
        ((), {"ids": None, "vectors": TWO.tolist(), "confidences": [1, 0.5]}),
        ((), {"vectors": [ONE, None], "contents": ["t", None]}),
        ((None, TWO), {}),
        ((None, [ONE, ONE]), {}),
        ((None, TWO.tolist(), ["t", "u"]), {"tags": [["x"], []]}),
        ((None, None, ["t", "u"]), {}),
    ],
)
def test_many_without_ids_get_some_in_rising_order(arguments: Any, keywords: Any) -> None:
    many = take_observations(arguments, keywords)
    assert isinstance(many, ManyObservations)
    first, second = many.made_ids
    assert first < second
    assert list(many.batch(CONFIG).ids) == [first, second]


@pytest.mark.parametrize(
    ("keywords", "code", "field"),
    [
        ({"timestamps": [1, 2]}, "invalid_arguments", "ids"),
        ({"contents": "a text"}, "not_a_list", "contents"),
        ({"vectors": TWO, "contents": []}, "column_length", "vectors"),
        ({"contents": repeat("t")}, "batch_count", "contents"),
        ({"vectors": 5}, "dimension_mismatch", "vectors"),
        ({"vectors": ONE}, "dimension_mismatch", "vectors"),
        ({"vectors": TWO, "contents": ["t"]}, "column_length", "vectors"),
        ({"vector": ONE, "contents": ["t"]}, "unknown_argument", "vector"),
        ({"vector": TWO}, "dimension_mismatch", "vector"),
    ],
)
def test_what_tells_no_number_of_observations_is_refused(keywords: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        taken(**keywords)
    assert (refusal.value.code, refusal.value.field) == (code, field)


@pytest.mark.parametrize(
    "vector", ["abc", [object()], TWO, np.ones(3)], ids=["a text", "no number", "two", "another dimension"]
)
def test_an_error_names_no_id_that_nobody_has_given(vector: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^the vector (cannot be read|has shape)"):
        taken(vector=vector)
    with pytest.raises(InvalidInput, match=r"^the vector of 'note-1' (cannot be read|has shape)"):
        taken("note-1", vector)


def test_a_column_of_another_length_is_told_from_ids_that_nobody_has_given() -> None:
    with pytest.raises(InvalidInput, match=r"^column vectors has 2 rows for 1 observation$"):
        taken(vectors=TWO, contents=["t"])


def test_more_than_one_request_has_get_ids_too() -> None:
    many = take_observations((), {"contents": ["t"] * 10_001})
    assert isinstance(many, ManyObservations)
    assert list(many.made_ids) == sorted(set(many.made_ids))
    assert len(many.batch(CONFIG)) == len(many.made_ids) == 10_001


def test_who_gives_ids_gets_none() -> None:
    assert take_observations(("a", ONE, "t"), {}).made_ids == ()
    assert take_observations((["a"], [ONE]), {}).made_ids == ()


@pytest.mark.parametrize("keywords", [{}, {"id": None, "content": "t"}, {"contents": ["t"]}, {"ids": None}])
def test_what_exists_has_an_id(keywords: Any) -> None:
    with pytest.raises(InvalidInput, match="there are no ids") as refusal:
        take_existing((), keywords)
    assert (refusal.value.code, refusal.value.field) == ("invalid_arguments", "ids")
