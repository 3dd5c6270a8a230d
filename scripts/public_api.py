"""Print the public interface: every class and function of the reference, with its members and their arguments.

`tests/unit/public_api.txt` holds what it prints, and a test compares them: whoever changes the interface sees it there.
Write it anew with: python scripts/public_api.py > tests/unit/public_api.txt
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
_DEFAULT_CHARS_MAX = 40


def lines() -> Iterator[str]:
    """The interface, a line each."""
    names = re.findall(r"^::: (\S+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    for name in sorted(names):
        module, _, attribute = name.rpartition(".")
        try:
            yield from _described(importlib.import_module(name), name)
        except ModuleNotFoundError:
            yield from _described(getattr(importlib.import_module(module), attribute), name)


def _described(value: object, name: str) -> Iterator[str]:
    if inspect.ismodule(value):
        for member, each in sorted(vars(value).items()):
            if not member.startswith("_") and getattr(each, "__module__", None) == value.__name__:
                yield from _described(each, f"{name}.{member}")
    elif isinstance(value, type):
        yield f"class {name}({', '.join(base.__name__ for base in value.__bases__ if base is not object)})"
        yield from _members(value)
    else:
        yield f"{name}{_signature(value)}"


def _members(kind: type) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in kind)
        return
    if dataclasses.is_dataclass(kind):
        yield from (f"    {field.name}: {field.type}" for field in dataclasses.fields(kind) if field.name[0] != "_")
    elif "__init__" in vars(kind):
        yield f"    __init__{_signature(kind.__init__)}"
    for name, member in sorted(inspect.getmembers(kind)):
        if name.startswith("_") or any(name in vars(base) for base in kind.__mro__ if base.__module__ == "builtins"):
            continue
        if isinstance(member, property):
            yield f"    {name}: {inspect.signature(member.fget).return_annotation if member.fget else ''}"
        elif callable(member) and not isinstance(member, type):
            yield f"    {name}{_signature(member)}"


def _signature(function: object) -> str:
    try:
        signature = inspect.signature(function)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"
    shown = [
        one.replace(default=_Short()) if one.default is not one.empty and _is_unreadable(repr(one.default)) else one
        for one in signature.parameters.values()
    ]
    return str(signature.replace(parameters=shown)).replace("'", "")


def _is_unreadable(default: str) -> bool:
    # Functions and other objects are shown with their address, which is another one each time.
    return len(default) > _DEFAULT_CHARS_MAX or " at 0x" in default


class _Short:
    """Stands for a default that is too long to show."""

    def __repr__(self) -> str:
        return "..."


if __name__ == "__main__":
    print("\n".join(lines()))
