"""Paths on the command line."""

from __future__ import annotations

import os
from typing import Any

import click


class GivenPath(click.Path):
    """A path that is not empty.

    An empty one would mean the working directory. It is what a shell makes of ``"$DIR"`` if nobody has set it.
    """

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fail if it is empty, and as a `click.Path` does."""
        if not os.fspath(value):
            self.fail("it is empty; pass . for the working directory", param, ctx)
        return super().convert(value, param, ctx)
