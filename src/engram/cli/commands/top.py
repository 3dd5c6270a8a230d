"""``engram top``: watch a server."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from rich.live import Live

from engram.cli.context import CliContext, pass_cli
from engram.cli.live.looks import looks
from engram.cli.live.reading import LiveReading
from engram.cli.live.view import line, screen
from engram.cli.setting_options import setting_option
from engram.cli.target import ServerTarget, client_settings
from engram.errors import EngramError


def _check_number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    # Click takes NaN for a number within every range.
    if math.isnan(value):
        raise click.BadParameter("NaN is not a number of seconds.", context, parameter)
    return value


@click.command()
@setting_option("client", "address")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    callback=_check_number,
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks, over which rates are taken.",
)
@click.option("--once", is_flag=True, help="Print what one interval shows, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each interval.")
@pass_cli
def top(cli: CliContext, *, address: str | None, interval: float, once: bool, as_json: bool) -> None:
    """Watch the load of a server: rates, latencies, lanes, index workers and spaces. Ctrl-C ends it.

    On a terminal, the view has a screen of its own. Elsewhere, and with --json, each interval is a line. A server that
    goes away is asked again until it is back.

    \b
    Examples:
      engram top
      engram top --address 10.0.0.7:50051 --interval 5
      engram top --once --json
      engram top | tee load.txt
    """
    settings = client_settings(cli, address)
    with ServerTarget(settings.address, settings.timeout_s) as target:
        found = looks(target.client.status, interval, clock=time.monotonic, wait=time.sleep)
        try:
            if once:
                _print(cli, target.address, _first(found), as_json)
            elif as_json or not cli.out.is_terminal or cli.out.is_dumb_terminal:
                _print_lines(cli, target.address, found, as_json)
            else:
                _show(cli, target.address, found)
        except KeyboardInterrupt:
            if once:
                raise


def _first(found: Iterator[LiveReading | EngramError]) -> LiveReading:
    reading = next(found)
    if isinstance(reading, EngramError):
        raise reading
    return reading


def _print(cli: CliContext, address: str, reading: LiveReading, as_json: bool) -> None:
    if as_json:
        click.echo(_json_line(address, reading))
    else:
        cli.out.print(screen(address, reading, None))


def _print_lines(cli: CliContext, address: str, found: Iterator[LiveReading | EngramError], as_json: bool) -> None:
    for reading in found:
        if isinstance(reading, EngramError):
            cli.err.print(f"{_time()} {address} does not answer: {reading.message}", markup=False, soft_wrap=True)
        else:
            # `click.echo` flushes, so that who reads the lines has them at once.
            click.echo(_json_line(address, reading) if as_json else f"{_time()} {line(reading)}")


def _show(cli: CliContext, address: str, found: Iterator[LiveReading | EngramError]) -> None:
    reading: LiveReading | None = None
    # A program that is just terminated would leave the terminal on the other screen.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Live(screen(address, None, None), console=cli.out, screen=True, auto_refresh=False) as live:
            for latest in found:
                error = latest if isinstance(latest, EngramError) else None
                reading = reading if isinstance(latest, EngramError) else latest
                live.update(screen(address, reading, error), refresh=True)
    finally:
        # The screen is gone now; one line of it stays.
        if reading is not None:
            click.echo(line(reading))


def _json_line(address: str, reading: LiveReading) -> str:
    return json.dumps({"time": datetime.now(UTC).isoformat(), "address": address, **reading.values()})


def _time() -> str:
    return datetime.now(UTC).isoformat(" ", "seconds")
