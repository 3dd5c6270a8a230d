"""``engram demo``: stream texts into a server, kill the server, restart it, and check that nothing is lost."""

from __future__ import annotations

import itertools
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from engram.cli.context import CliContext, pass_cli
from engram.cli.files.given_path import GivenPath
from engram.cli.server_child import ServerChild
from engram.client import Ack, Client
from engram.data import Sample, sample
from engram.data.sample import SAMPLE_DIM
from engram.errors import EngramError

_SPACE: Final = "demo"
_TEXT_SPACE: Final = "demo-text"
_QUERIES: Final = 5
_HITS: Final = 3
# Large enough to find the exact nearest of a few thousand vectors, so that both recalls must agree.
_EF: Final = 512
_TEXT_CUE: Final = "a drink made of coffee beans"
_BATCH: Final = 100
# Without a bound, all batches would be sent at once, and the measured delays would be the time in the queue.
_UNANSWERED_MAX: Final = 4
# What arrives while somebody looks on: slow enough to be read, and for so long at most, since a log only grows.
_STAY_BATCH: Final = 4
_STAY_PAUSE_S: Final = 0.1
_STAY_ROUNDS: Final = 6

Found = list[tuple[str, str, float]]
"""Id, text and score of each hit."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """The result of streaming the sample.

    Parameters
    ----------
    count
        Number of observations.
    rate
        Observations per second.
    p50_ms, p99_ms
        Percentiles of the time from sending a batch to its acknowledgement, in milliseconds.
    """

    count: int
    rate: float
    p50_ms: float
    p99_ms: float


@click.command()
@click.option(
    "--data",
    type=GivenPath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Data directory, which is kept afterwards [default: a temporary directory].",
)
@click.option("--stay", is_flag=True, help="Keep the server and a slow stream afterwards, to look at its page.")
@pass_cli
def demo(cli: CliContext, data: Path | None, stay: bool) -> None:
    """See what Engram does, in less than half a minute.

    Starts a server, streams a few thousand dictionary entries with their embeddings into it, and recalls some of them.
    Then kills the server without warning, starts it again and makes the same recalls. Exits with 0 only if both agree.

    With --stay, the server goes on until Ctrl-C, and entries go on arriving for some ten minutes, so that there is
    something to see on its page.

    \b
    Examples:
      engram demo
      engram demo --stay
      engram demo --data ./demo-data
    """
    entries = sample()
    with (
        _ended_by_signals(),
        _directories(data) as (directory, scratch),
        ServerChild(directory, scratch / "server.log") as server,
    ):
        if not _run(cli, directory, server, entries):
            raise EngramError("what was recalled after the crash is not what was recalled before", code="demo_failed")
        if stay:
            _stay(cli, server, entries)
    if data is not None:
        cli.out.print(f"\nKept in {data}. Look around: engram spaces --data {data}", soft_wrap=True)
    elif not stay:
        cli.out.print("\nWith --stay, it goes on, and its page shows what arrives: engram demo --stay", soft_wrap=True)


def _run(cli: CliContext, directory: Path, server: ServerChild, entries: Sample) -> bool:
    cues = [number * len(entries.queries) // _QUERIES for number in range(_QUERIES)]
    _step(cli, 1, f"A server is running at {server.address} (process {server.pid}), its data in {directory}.")
    cli.out.print(f"   Its page: {server.http_address}/", soft_wrap=True)
    with _clients(server.address) as (client, texts):
        streamed = _stream(client, entries)
        _step(
            cli,
            2,
            f"Streamed {streamed.count:,} observations at {streamed.rate:,.0f}/s. Each was acknowledged only when "
            f"it was safe on disk and recallable: half of them within {streamed.p50_ms:.1f} ms, "
            f"99 % within {streamed.p99_ms:.1f} ms.",
        )
        _embed(texts, entries)
        before = _recall_all(client, texts, entries, cues)
        _step(cli, 3, "Recalled what is nearest in meaning, by vector:")
        _show(cli, [entries.queries.contents[cue] for cue in cues], before[:-1])
        cli.out.print(Text("\nand by words, in a space that makes its own vectors of texts:"))
        _show(cli, [_TEXT_CUE], before[-1:])
    killed = server.pid
    server.kill()
    started_s = time.monotonic()
    server.start()
    seconds = time.monotonic() - started_s
    _step(cli, 4, f"Killed process {killed} with SIGKILL, and started process {server.pid} in {seconds:.1f} s.")
    with _clients(server.address) as (client, texts):
        after = _recall_all(client, texts, entries, cues)
        count = client.space_status().live_count
    return _prove(cli, before, after, count, len(entries))


def _stay(cli: CliContext, server: ServerChild, entries: Sample) -> None:
    """Let entries arrive, slowly, until the command is interrupted."""
    _step(cli, 6, "Look on while entries arrive; Ctrl-C ends it:")
    cli.out.print(f"   {server.http_address}/#/recall/{_TEXT_SPACE}", soft_wrap=True)
    parts = [slice(start, start + _STAY_BATCH) for start in range(0, len(entries), _STAY_BATCH)]
    pause = threading.Event()
    try:
        with _clients(server.address) as (_, texts):
            for part in itertools.chain.from_iterable(itertools.repeat(parts, _STAY_ROUNDS)):
                texts.observe(entries.ids[part], None, entries.contents[part])
                texts.recall(entries.contents[part][0], k=_HITS)
                pause.wait(_STAY_PAUSE_S)
            cli.out.print("   That was all; the page is still there.", soft_wrap=True)
            pause.wait()
    except KeyboardInterrupt:
        cli.out.print()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End as with Ctrl-C when the process or its terminal is ended, because nothing else would stop the server."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        # nohup ignores SIGHUP so that a program outlives its terminal; keep it ignored.
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _directories(data: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yield the data directory and a directory for the server's output; remove the temporary ones at the end."""
    with tempfile.TemporaryDirectory(prefix="engram-demo-") as name:
        scratch = Path(name)
        yield (scratch / "data" if data is None else data), scratch


@contextmanager
def _clients(address: str) -> Iterator[tuple[Client, Client]]:
    """Yield clients for the space of vectors and the space of texts."""
    with Client(address, space=_SPACE) as client, Client(address, space=_TEXT_SPACE) as texts:
        client.create_space(_SPACE, dim=SAMPLE_DIM)
        client.create_space(_TEXT_SPACE, dim=SAMPLE_DIM, embedder="lexical")
        yield client, texts


def _stream(client: Client, entries: Sample) -> Streamed:
    client.connect()
    delays_ms: list[float] = []
    unanswered: deque[Future[Ack]] = deque()
    started_s = time.perf_counter()
    for start in range(0, len(entries), _BATCH):
        if len(unanswered) >= _UNANSWERED_MAX:
            unanswered.popleft().result()
        part = slice(start, start + _BATCH)
        sent_s = time.perf_counter()
        future = client.submit(entries.ids[part], entries.vectors[part], entries.contents[part])
        future.add_done_callback(partial(_note_delay, delays_ms, sent_s))
        unanswered.append(future)
    client.flush()
    seconds = time.perf_counter() - started_s
    p50_ms, p99_ms = np.percentile(delays_ms, [50, 99])
    return Streamed(len(entries), len(entries) / seconds, float(p50_ms), float(p99_ms))


def _note_delay(delays_ms: list[float], sent_s: float, answered: Future[Ack]) -> None:
    delays_ms.append(1000 * (time.perf_counter() - sent_s))


def _embed(texts: Client, entries: Sample) -> None:
    for start in range(0, len(entries), _BATCH):
        part = slice(start, start + _BATCH)
        texts.submit(ids=entries.ids[part], contents=entries.contents[part])
    texts.flush()


def _recall_all(client: Client, texts: Client, entries: Sample, cues: Sequence[int]) -> list[Found]:
    recalls = [client.recall(entries.queries.vectors[cue], k=_HITS, ef=_EF) for cue in cues]
    recalls.append(texts.recall(_TEXT_CUE, k=_HITS, ef=_EF))
    return [[(hit.id, hit.content, hit.score) for hit in hits] for hits in recalls]


def _show(cli: CliContext, cues: Sequence[str], found: Sequence[Found]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    # Each hit gets one line, which is cut off at the width of the terminal.
    table.add_column("asked for", ratio=2, style="cyan", no_wrap=True, overflow="ellipsis")
    table.add_column("score", justify="right", min_width=5)
    table.add_column("recalled", ratio=3, no_wrap=True, overflow="ellipsis")
    for cue, hits in zip(cues, found, strict=True):
        for number, (_, content, score) in enumerate(hits):
            table.add_row(Text(cue if number == 0 else ""), f"{score:.3f}", Text(content))
        table.add_section()
    cli.out.print(table)


def _prove(cli: CliContext, before: list[Found], after: list[Found], count: int, expected: int) -> bool:
    same = count == expected and all(_is_same(one, other) for one, other in zip(before, after, strict=True))
    recalled = sum(map(len, before))
    if same:
        _step(cli, 5, f"All {count:,} observations are there, and all {recalled} hits are the same:")
        cli.out.print(Text("  recalled before = recalled after", style="bold green"))
    else:
        _step(cli, 5, f"{count:,} of {expected:,} observations are there, and the recalls differ:")
        cli.out.print(Text("  recalled before ≠ recalled after", style="bold red"))
    return same


def _is_same(before: Found, after: Found) -> bool:
    texts_agree = [hit[:2] for hit in before] == [hit[:2] for hit in after]
    return texts_agree and np.allclose([hit[2] for hit in before], [hit[2] for hit in after], atol=1e-5)


def _step(cli: CliContext, number: int, text: str) -> None:
    cli.out.print()
    cli.out.print(Text.assemble((f"{number}. ", "bold"), text))
