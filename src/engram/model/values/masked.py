"""Masked arrays of NumPy are recognised without importing what makes them."""

from __future__ import annotations

import sys
from typing import Any


def is_masked(values: object) -> bool:
    """Return whether `values` is a masked array.

    Whoever has one has imported `numpy.ma`. It is not imported for the question, because that takes time, and
    descriptors, which a server may be short of just then.
    """
    masking: Any = sys.modules.get("numpy.ma")
    return isinstance(values, getattr(masking, "MaskedArray", ()))
