"""The stores that Haystack's suites run on. Nothing of it calls home."""

from __future__ import annotations

import os

from tests.suites.stores import address, space_name, store

__all__ = ["address", "space_name", "store"]

# Read when Haystack is imported, which the tests do after this.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
