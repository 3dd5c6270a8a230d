"""The tables and pictures of docs/backpressure.md say what the code does."""

from __future__ import annotations

import re
from typing import Final

from engram.client.sending import rate_control
from engram.model.priority import Priority
from engram.store.commit.service_rate import RETRY_AFTER_MS_MAX
from engram.store.options import StoreOptions
from engram.streaming.pressure.gauges import DISK_FREE_BYTES_MIN
from engram.streaming.pressure.levels import REFUSED_FROM, Level, Thresholds
from engram.streaming.pressure.load_shedding import STATES
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.flow_control import FlowAction
from engram.streaming.sessions.send_rate import RATE_FIRST, RATE_MAX
from engram.streaming.sessions.states import MOVES, SessionState
from tests.doubles.places import ROOT

PAGE: Final = (ROOT / "docs" / "backpressure.md").read_text(encoding="utf-8")


def test_the_table_of_levels_is_the_state_machine() -> None:
    rows = re.findall(
        r"^\| (NORMAL|WARNING|CRITICAL|OVERLOADED) \| (.*) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE
    )
    limits = Thresholds()
    expected = []
    for level in Level:
        entered, left = ("-", "-") if not level else (f"{limits.enter[level - 1]} %", f"{limits.leave[level - 1]} %")
        refused = [p.name.capitalize() for p in sorted(Priority, reverse=True) if REFUSED_FROM.get(p, 99) <= level]
        expected.append((level.name, entered, left, STATES[level].name, ", ".join(refused) or "nothing"))
    assert rows == expected


def test_the_picture_of_levels_shows_the_thresholds() -> None:
    above, below = re.findall(r"^ +(?:below )?\d+ %.*$", PAGE, re.MULTILINE)
    assert tuple(map(int, re.findall(r"\d+", above))) == Thresholds().enter
    assert tuple(map(int, re.findall(r"\d+", below))) == Thresholds().leave


def test_every_flow_action_is_described() -> None:
    described = set(re.findall(r"^\| ([A-Z_]+) \|", PAGE.partition("## Flow control")[2], re.MULTILINE))
    assert described == {action.name for action in FlowAction} - {"NONE"}


def test_every_state_of_a_session_is_in_the_picture_and_expiry_leaves_the_ones_named() -> None:
    picture = PAGE.partition("## Sessions")[2].split("```")[1]
    assert {state.name for state in SessionState} == set(re.findall(r"\b[A-Z]{4,}\b", picture))
    expiring = {state for state in SessionState if SessionState.EXPIRED in MOVES[state]}
    assert "ACTIVE, PAUSED, DRAINING --> EXPIRED" in picture
    assert expiring == {SessionState.ACTIVE, SessionState.PAUSED, SessionState.DRAINING}


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    options = StoreOptions()
    for text in (
        f"{options.tail_count_max:,} observations".replace(",", " "),
        f"{options.tail_bytes_max >> 30} GiB of their vectors",
        f"{DISK_FREE_BYTES_MIN >> 20} MiB free",
        f"{RETRY_AFTER_MS_MAX // 1000} s",
        f"up to {ConnectionLimits().in_flight_count_max:,} or".replace(",", " "),
        f"second: {RATE_FIRST:g} the first time",
        f"beyond {RATE_MAX:,.0f} there".replace(",", " "),
    ):
        assert text in PAGE, text
    assert 2**rate_control.HALVINGS_MAX == 32, "a thirty-second"
