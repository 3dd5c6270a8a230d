"""Without LangChain, its part of Engram says what to install."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["langchain_core"] = None
from engram.errors import MissingExtra
try:
    import engram.integrations.langchain
except MissingExtra as error:
    print(error)
"""


def test_a_missing_langchain_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'engram-stream[langchain]'" in done.stdout
