"""Pages that show two libraries side by side: the blocks of each are one program, and both print the same."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Sequence
from pathlib import Path


def program(page: str, library: str) -> list[str]:
    """The blocks of one library, in their order."""
    return re.findall(rf"^```py title=\"{library}\"\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def printed(blocks: Sequence[str], folder: Path) -> list[str]:
    """What blocks print, run together in a new folder."""
    folder.mkdir()
    told = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(told):
        exec("\n".join(blocks), {"__name__": folder.name})  # noqa: S102 - a page of this repository.
    return told.getvalue().splitlines()


def unnamed(page: str, *kinds: type) -> list[str]:
    """The public blocking methods of classes that a page does not name."""
    members = [member for kind in kinds for member in vars(kind).items()]
    names = [name for name, member in members if inspect.isfunction(member) and not name.startswith("_")]
    methods = [name for name in names if not any(inspect.iscoroutinefunction(vars(kind).get(name)) for kind in kinds)]
    return [name for name in methods if not re.search(rf"\b{name}\b", page)]
