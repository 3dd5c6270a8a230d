"""Arguments by their old names and places, and where the warnings about them point."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypedDict, Unpack
from unittest.mock import create_autospec

import pytest

from engram import AsyncClient, MemoryStore
from engram.errors import InvalidInput
from engram.model.ack import Ack
from engram.model.cue import Cue, CueLike
from engram.model.recall_options import RecallOptions
from engram.model.values.keywords import accepts_old, spelled_out
from tests.doubles.batches import vector_of


class Options(TypedDict, total=False):
    """The keywords of the functions below."""

    ef: int


@accepts_old("ef", max_results="k")
@spelled_out(Options)
def plain(cue: str, k: int = 10, **options: Any) -> Any:
    """Return what it was given."""
    return cue, k, options


@accepts_old("ef", max_results="k")
@spelled_out(Options)
async def waited(cue: str, k: int = 10, **options: Any) -> Any:
    """Return what it was given."""
    return cue, k, options


def called(function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    result = function(*args, **keywords)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


BOTH = pytest.mark.parametrize("function", [plain, waited], ids=["plain", "waited"])


@BOTH
def test_old_names_and_places_are_those_of_now(function: Any) -> None:
    with pytest.warns(DeprecationWarning, match="max_results is deprecated; pass k"):
        assert called(function, "a", max_results=7) == ("a", 7, {})
    with pytest.warns(DeprecationWarning, match="ef by place is deprecated"):
        assert called(function, "a", 7, 50) == ("a", 7, {"ef": 50})
    assert called(function, "a", k=7, ef=50) == ("a", 7, {"ef": 50})


@BOTH
@pytest.mark.parametrize(
    ("args", "keywords", "field"),
    [(("a",), {"k": 5, "max_results": 7}, "k"), (("a", 5), {"max_results": 7}, "k"), (("a", 5, 50), {"ef": 60}, "ef")],
)
def test_an_argument_given_twice_is_refused(function: Any, args: Any, keywords: Any, field: str) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"), pytest.raises(InvalidInput) as refusal:
        called(function, *args, **keywords)
    assert (refusal.value.code, refusal.value.field) == ("invalid_arguments", field)


@BOTH
def test_an_unknown_keyword_is_refused(function: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        called(function, "a", count=5)
    assert (refusal.value.code, refusal.value.field) == ("unknown_argument", "count")


def test_what_is_waited_for_stays_so() -> None:
    assert inspect.iscoroutinefunction(waited)
    assert not inspect.iscoroutinefunction(plain)
    for name in ("recall", "snapshot", "get", "observe", "delete"):
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name)), name
    double = create_autospec(AsyncClient, instance=True)
    pending = double.recall("a cue")
    assert inspect.iscoroutine(pending)
    pending.close()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda space: space.observe(["a"], [vector_of("a")], ["t"], [1.0]), "timestamps by place"),
        (lambda space: space.submit("a", vector_of("a"), "t", 1.0).result(), "timestamp by place"),
        (lambda space: space.recall(vector_of("a"), 1, 0), "max_generation by place"),
        (lambda space: space.snapshot(time=9e8), "pass snapshot_time"),
        (lambda space: space.visible_generation, "visible_generation is deprecated"),
        (lambda space: Ack(0, 0, 1, 1).result(), "result"),
        (lambda space: plain("a", max_results=3), "pass k"),
    ],
)
def test_a_warning_is_of_the_callers_line(call: Any, match: str) -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=8)
        with pytest.warns(DeprecationWarning, match=match) as warned:
            call(space)
    assert [(one.filename, one.lineno) for one in warned] == [(__file__, call.__code__.co_firstlineno)]


async def test_a_warning_of_a_coroutine_is_of_the_line_that_waits() -> None:
    with pytest.warns(DeprecationWarning, match="pass k") as warned:
        await waiting_here()
    assert [(one.filename, one.lineno) for one in warned] == [(__file__, waiting_here.__code__.co_firstlineno + 1)]


async def waiting_here() -> None:
    await waited("a", max_results=3)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Cue)])
def test_what_belongs_to_a_cue_is_not_mistaken_for_an_argument_beside_it(name: str) -> None:
    @spelled_out(RecallOptions)
    def recall(cue: CueLike, k: int = 10, **options: Unpack[RecallOptions]) -> None:
        raise AssertionError("it is refused before")

    given: dict[str, Any] = {name: None}
    with pytest.raises(InvalidInput, match=rf"pass Cue\(\.\.\., {name}=\.\.\.\)") as refused:
        recall([1.0], **given)
    assert (refused.value.code, refused.value.field) == ("unknown_argument", name)
