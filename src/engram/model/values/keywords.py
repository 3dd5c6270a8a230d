"""Keyword arguments that several public methods share: how they are shown, checked, and renamed with a warning."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from engram.model.columns import check_keywords

F = TypeVar("F", bound=Callable[..., Any])


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

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            check_keywords(keywords, known)
            return function(*args, **keywords)

        call.__signature__ = signature.replace(parameters=[*taken, *shown])  # type: ignore[attr-defined]
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
        placed = sum(one.kind in kinds for one in inspect.signature(function).parameters.values())

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            if len(args) > placed:
                late = dict(zip(positional, args[placed:], strict=False))
                if len(late) == len(args) - placed:
                    _warn(function.__name__, f"{', '.join(late)} by place is deprecated; pass by keyword")
                    args, keywords = args[:placed], late | keywords
            for old in renamed.keys() & keywords.keys():
                _warn(function.__name__, f"{old} is deprecated; pass {renamed[old]}")
                keywords[renamed[old]] = keywords.pop(old)
            return function(*args, **keywords)

        return cast(F, call)

    return decorate


def warn_renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn that `old` will go with the next release, and what to use instead."""
    warnings.warn(f"{old} is deprecated and goes with the next release; use {new}", DeprecationWarning, stacklevel)


def _warn(function: str, what: str) -> None:
    warnings.warn(f"{function}: {what}", DeprecationWarning, stacklevel=3)


def _parameter(name: str, kind: str) -> inspect.Parameter:
    # Whatever has a default of another kind says None, and what the default is in its description.
    default = False if kind == "bool" else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
