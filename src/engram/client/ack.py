"""The old place of `Ack`, which is `engram.Ack` now. Deprecated: this module goes with the next release."""

from __future__ import annotations

import warnings

from engram.model.ack import Ack

__all__ = ["Ack"]

# The machinery of imports does not count, so this is the line of the import.
warnings.warn("engram.client.ack is deprecated and goes with the next release; use engram.Ack", DeprecationWarning, 2)
