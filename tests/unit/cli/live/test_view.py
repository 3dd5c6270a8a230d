"""What a reading looks like on a terminal, and as a line."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from engram.cli.live.reading import LaneReading, LiveReading, SpaceReading, WorkerReading
from engram.cli.live.view import line, screen
from engram.errors import Unavailable

SPACE = SpaceReading("notes", "critical", 0.85, 1200.0, 5000, 210_000, 0.84, 4096, 2048, 0.973)
READING = LiveReading(
    version="1.2",
    uptime_s=3661.0,
    interval_s=1.0,
    observed_per_s=12_345.0,
    rejected_per_s=7.0,
    recalls_per_s=89.0,
    commits_per_s=10.0,
    durable_p99_s=0.0123,
    recall_p99_s=None,
    connections=2,
    sessions=3,
    recalls_waiting=4,
    recall_streams=5,
    damaged_count=0,
    unsound_count=0,
    lanes=(LaneReading("high", 0, 0, 0.0), LaneReading("normal", 900, 2048, 0.9)),
    workers=(WorkerReading("0", 0.5, 600.0, 1, 0),),
    spaces=(SPACE,),
)


def shown(*arguments: Any, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(screen(*arguments))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_has_what_the_reading_has() -> None:
    text = shown("http://here", READING, None)
    for part in (
        "http://here",
        "1:01:01",
        "12,345",
        "12.3 ms",
        "normal",
        "900",
        "90%",
        "notes",
        "critical 85%",
        "84%",
        "97.3%",
    ):
        assert part in text, part
    assert "damaged" not in text
    assert "does not answer" not in text


def test_the_line_has_the_fullest_lane_and_the_space_in_trouble() -> None:
    assert line(READING) == (
        "observed 12,345/s; rejected 7/s; recalls 89/s; P99 durable 12.3 ms recall -; lane normal 90%; "
        "space notes critical, tail 210,000 (84%)"
    )


def test_a_server_without_spaces_and_lanes_is_shown() -> None:
    empty = replace(READING, lanes=(), workers=(), spaces=(), durable_p99_s=2.5)
    assert line(empty) == "observed 12,345/s; rejected 7/s; recalls 89/s; P99 durable 2.50 s recall -"
    assert "12,345" in shown("here", empty, None)


def test_damage_is_said() -> None:
    for damaged in (replace(READING, damaged_count=1), replace(READING, unsound_count=1)):
        assert "damaged" in shown("here", damaged, None)
        assert line(damaged).endswith("; damaged")


def test_a_server_that_is_away_keeps_its_last_reading() -> None:
    text = shown("here", READING, Unavailable("nobody [bold]listens", code="no_server"))
    assert "here does not answer: nobody [bold]listens" in text
    assert "12,345" in text
    assert "here: waiting" in shown("here", None, None)


def test_texts_are_no_markup() -> None:
    odd = replace(READING, spaces=(replace(SPACE, name="[red]x"),), version="[blink]")
    text = shown("here", odd, None)
    assert "[red]x" in text
    assert "[blink]" in text


def test_a_great_many_spaces_are_cut_off() -> None:
    many = replace(READING, spaces=tuple(replace(SPACE, name=f"s{number}") for number in range(1000)))
    text = shown("here", many, None)
    assert "and 950 more" in text
    assert "s49" in text
    assert "s50" not in text


def test_a_terminal_that_is_too_narrow_for_tables_has_lines_that_can_be_read() -> None:
    text = shown("here", READING, None, width=20)
    for part in ("observed 12,345/s", "lane normal 90%"):
        assert part in text, text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 20
