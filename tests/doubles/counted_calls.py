"""Counts of calls of a module's functions."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


def count_calls(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *names: str) -> dict[str, int]:
    """Have the functions of `module` with these names counted; return the counts, which rise with each call."""
    counts = dict.fromkeys(names, 0)

    def counting(name: str) -> Any:
        does = getattr(module, name)

        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return does(*arguments)

        return counted

    for name in names:
        monkeypatch.setattr(module, name, counting(name))
    return counts
