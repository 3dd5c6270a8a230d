"""The native core, which is taken only if it belongs to the sources that call it."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

_NAME: Final = "engram._core"
_STUBS: Final = Path(__file__).with_name("_core.pyi")
_AGAIN: Final = "build it: `make demo` or `make test` in a clone, `pip install .` elsewhere"


def load() -> ModuleType:
    """Return the native core.

    Sources may be newer than the core, such as after ``git pull`` in an editable installation. Calls that the core does
    not know would then fail in the middle of a commit. So the stubs that it was built with are compared with those that
    are here.

    Raises
    ------
    ImportError
        If the core is not there, or was built with other stubs.
    """
    try:
        core = importlib.import_module(_NAME)
    except ModuleNotFoundError as error:
        raise ImportError(f"the native core of Engram is not there; {_AGAIN}", name=_NAME) from error
    # Some packagers leave the stubs out, which then cannot differ from what the core was built with.
    if _STUBS.exists() and getattr(core, "INTERFACE", None) != hashlib.sha256(_STUBS.read_bytes()).hexdigest():
        # Whoever asks again is to be told again, and not to find the attribute that the import has set.
        vars(sys.modules["engram"]).pop("_core", None)
        raise ImportError(
            f"the native core {core.__file__} was built from other sources than those in {_STUBS.parent}; {_AGAIN}",
            name=_NAME,
            path=core.__file__,
        )
    return core
