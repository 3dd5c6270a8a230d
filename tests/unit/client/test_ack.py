"""The old place of `Ack`."""

from __future__ import annotations

import importlib
import sys

import pytest

import engram


def test_the_old_module_has_the_same_class_and_warns_at_the_import() -> None:
    sys.modules.pop("engram.client.ack", None)
    with pytest.warns(DeprecationWarning, match=r"use engram\.Ack"):
        old = importlib.import_module("engram.client.ack")
    assert old.Ack is engram.Ack
