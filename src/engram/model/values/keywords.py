"""Keyword arguments that several public methods share: how they are shown, checked, and renamed with a warning."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from engram.errors import InvalidInput
from engram.model.columns import check_keywords

# The fields of a `Cue`, none of which is an argument of a call that takes cues, but for the filter of many cues.
_OF_A_CUE: Final = frozenset({"vector", "text", "by", "filter", "score_min"})

F = TypeVar("F", bound=Callable[..., Any])
_Change = Callable[[tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
# The directory of this package, with the separator at the end.
_PACKAGE: Final = str(Path(__file__).parents[2] / "_")[:-1]


def spelled_out(*options: type) -> Callable[[F], F]:
    """Show the keys of typed dictionaries as keyword arguments of a function that takes them as ``**keywords``.

    ``help()`` and editors then list the arguments by name, and a call with another keyword raises `InvalidInput`.

    Parameters
    ----------
    options
        The `typing.TypedDict` classes, all of whose keys the function takes.
    """
    names = {name: kind for one in options for name, kind in one.__annotations__.items()}

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        taken = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        known = [*(one.name for one in taken if one.name != "self"), *names]
        shown = [_parameter(name, getattr(kind, "__forward_arg__", str(kind))) for name, kind in names.items()]

        call = _before(function, lambda args, keywords: (args, _known(keywords, known)))
        call.__signature__ = signature.replace(parameters=[*taken, *shown])  # type: ignore[attr-defined]  # `inspect` reads it.
        return cast(F, call)

    return decorate


def accepts_old(*positional: str, **renamed: str) -> Callable[[F], F]:
    """Let a method take arguments in the places and by the names of the version before, with a `DeprecationWarning`.

    Parameters
    ----------
    positional
        Names of the arguments that could once be given by place, after those that still can.
    renamed
        The present name of each argument that had another name.
    """

    def decorate(function: F) -> F:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        places = [name for name, one in inspect.signature(function).parameters.items() if one.kind in kinds]

        def renew(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if len(args) <= len(places) and renamed.keys().isdisjoint(keywords):
                return args, keywords
            given = dict.fromkeys(places[: len(args)])
            late = dict(zip(positional, args[len(places) :], strict=False))
            if late and len(late) == len(args) - len(places):
                warn_deprecated(f"{function.__name__}: {', '.join(late)} by place is deprecated; pass by keyword")
                args = args[: len(places)]
            else:
                late = {}
            for old in renamed.keys() & keywords.keys():
                new = renamed[old]
                warn_deprecated(f"{function.__name__}: {old} is deprecated; pass {new}")
                if new in keywords or new in given:
                    raise _given_twice(new, old)
                keywords[new] = keywords.pop(old)
            for twice in late.keys() & keywords.keys():
                raise _given_twice(twice, "a place")
            return args, late | keywords

        return cast(F, _before(function, renew))

    return decorate


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` will go with the next release, and what to use instead."""
    warn_deprecated(f"{old} is deprecated and goes with the next release; use {new}")


def warn_deprecated(message: str) -> None:
    """Warn at the line of the caller of this package, however deep inside of it the warning arises."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, DeprecationWarning, stacklevel=level)


def _before(function: Callable[..., Any], change: _Change) -> Callable[..., Any]:
    """Return a function like `function` that changes the arguments first; it is a coroutine function if that is one."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wait(*args: Any, **keywords: Any) -> Any:
            args, keywords = change(args, keywords)
            return await function(*args, **keywords)

        return wait

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        args, keywords = change(args, keywords)
        return function(*args, **keywords)

    return call


def _known(keywords: dict[str, Any], known: Sequence[str]) -> dict[str, Any]:
    if "cue" in known or "cues" in known:
        for name in keywords:
            if name in _OF_A_CUE and name not in known:
                raise InvalidInput(
                    f"{name} belongs to the cue; pass Cue(..., {name}=...)",
                    code="unknown_argument",
                    field=name,
                    limit=f"Cue(..., {name}=...)",
                    value=name,
                )
    check_keywords(keywords, known)
    return keywords


def _given_twice(name: str, other: str) -> InvalidInput:
    return InvalidInput(
        f"{name} is given twice, also by {other}; pass it once",
        code="invalid_arguments",
        field=name,
        limit="once",
        value="twice",
    )


def _parameter(name: str, kind: str) -> inspect.Parameter:
    # Whatever has a default of another kind says None, and what the default is in its description.
    default = False if kind == "bool" else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
