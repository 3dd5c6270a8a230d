"""The log of a process: levels, form, and what other packages say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys, warnings
from engram.logs.setup import set_up_logging
set_up_logging(sys.argv[1], sys.argv[2])
logging.getLogger("engram.server").debug("own debug")
logging.getLogger("websockets.server").debug("< TEXT 'what was sent'")
logging.getLogger("websockets.server").warning("another's warning")
warnings.warn("old")
"""


def said(level: str, form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, level, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_json_also_those_of_others() -> None:
    lines = [json.loads(line) for line in said("debug", "json")]
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("engram.server", "debug"),
        ("websockets.server", "warning"),
        ("py.warnings", "warning"),
    ]


@pytest.mark.parametrize("level", ["info", "warning"])
def test_a_level_leaves_out_what_is_less_severe(level: str) -> None:
    assert not any("debug" in line for line in said(level, "json"))
    assert said("error", "console") == []


def test_people_get_lines_of_text() -> None:
    own, *_ = said("debug", "console")
    assert own.endswith(" DEBUG engram.server: own debug")
