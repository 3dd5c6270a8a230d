"""The errors of dropping, renaming and aliasing spaces."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from engram.errors import AlreadyExists, FailedPrecondition, NotFound
from engram.model.limits import ALIASES_MAX

UNKNOWN_SPACE: Final = "unknown_space"
"""Code of the error that there is no space of a name."""

GONE: Final = frozenset({UNKNOWN_SPACE, "space_dropped", "space_renamed"})
"""Codes of the errors that say that there is no such space any more."""
# How much of a name must be the same to be offered in its place, and with how many names one is compared.
_ALIKE: Final = 0.6
_COMPARED_MAX: Final = 1000


def unknown_space(name: str, known: Iterable[str] = (), *, create: bool | None = False) -> NotFound:
    """Return the error that there is no space `name`; of the `known` names, it says the one that is most like it.

    With None for `create`, as whoever opens a space leaves it open whether it may be made, it says how that is done.
    """
    message = f"there is no space {name!r}{_advice(name, known)}"
    if create is None:
        message = followed_by(message, "pass a setting, such as dim=384, to make one")
    return NotFound(message, code=UNKNOWN_SPACE, field="space", value=name)


def followed_by(message: str, advice: str) -> str:
    """Return a message of this module with an advice behind it, also where it ends with a question."""
    return f"{message} {advice[:1].upper()}{advice[1:]}" if message.endswith("?") else f"{message}; {advice}"


def unknown_alias(name: str, known: Iterable[str]) -> NotFound:
    """Return the error that there is no alias `name`; of the `known` ones, it says the one that is most like it."""
    message = f"there is no alias {name!r}{_advice(name, known)}"
    return NotFound(message, code="unknown_alias", field="alias", value=name)


def without_advice(error: NotFound) -> NotFound:
    """Return the same error for somebody who is not to know other names."""
    name = str(error.value)
    return unknown_alias(name, ()) if error.code == "unknown_alias" else unknown_space(name)


def is_alias(name: str, space: str, doing: str, field: str) -> FailedPrecondition:
    """Return the error that something is done to an alias that only a space can have done to it, such as "dropped"."""
    return FailedPrecondition(
        f"{name!r} is an alias of space {space!r}, and only a space can be {doing}; name the space, or drop the alias",
        code="is_alias",
        field=field,
        limit=space,
        value=name,
    )


def name_taken(name: str, alias_of: str | None, field: str) -> AlreadyExists:
    """Return the error that a name cannot be given, because a space has it, or it is the alias of one."""
    what = f"there is a space {name!r} already" if alias_of is None else f"{name!r} is an alias of space {alias_of!r}"
    return AlreadyExists(
        f"{what}; a name is that of one space or of one alias", code="name_taken", field=field, value=name
    )


def too_many_aliases(name: str) -> FailedPrecondition:
    """Return the error that a store has as many aliases as it may have."""
    return FailedPrecondition(
        f"alias {name!r} would be one more than the {ALIASES_MAX} that a store may have; drop one that is not needed",
        code="too_many_aliases",
        field="alias",
        limit=ALIASES_MAX,
        value=ALIASES_MAX + 1,
    )


def space_dropped(name: str) -> FailedPrecondition:
    """Return the error of everybody who used a space that has been dropped."""
    return FailedPrecondition(
        f"space {name!r} has been dropped; a space of that name that is made anew is another one",
        code="space_dropped",
        field="space",
        value=name,
    )


def space_renamed(old: str, new: str) -> FailedPrecondition:
    """Return the error of everybody who used a space under its former name."""
    return FailedPrecondition(
        f"space {old!r} is called {new!r} now; open it by that name, and go on",
        code="space_renamed",
        field="space",
        limit=new,
        value=old,
    )


def _advice(name: str, known: Iterable[str]) -> str:
    """Return the name to try instead, as the end of a sentence; empty if none is like it."""
    names = sorted(known)
    if len(names) > _COMPARED_MAX:
        # Comparing takes a while, and what is mistyped mostly begins right.
        names = [one for one in names if one[:1] == name[:1]][:_COMPARED_MAX]
    near = difflib.get_close_matches(name, names, 1, _ALIKE)
    return f"; did you mean {near[0]!r}?" if near else ""
