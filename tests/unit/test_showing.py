"""Whatever users get shows itself in one line without vectors, however much is in it, and some of it as a table."""

from __future__ import annotations

import importlib
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import pytest

from engram import (
    Ack,
    AsyncClient,
    Between,
    Client,
    Counted,
    Cue,
    Deletion,
    EngramError,
    ErasureReceipt,
    F,
    Filter,
    HnswIndex,
    MemoryStore,
    Own,
    RecallQuery,
    RetentionPolicy,
    StoreOptions,
    Strength,
)
from engram.client import (
    AsyncClientSnapshot,
    ClientSnapshot,
    LaneStatus,
    OutboxLimits,
    Problem,
    ServerStatus,
    SpaceStatus,
    StreamOptions,
    UnsoundSpace,
    WorkerStatus,
)
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.connection.async_remote_store import AsyncRemoteStore
from engram.connection.async_space import AsyncSnapshot, AsyncSpace
from engram.connection.remote_store import RemoteStore
from engram.metrics.space_statistics import SpaceStatistics
from engram.model.damage import Damage
from engram.model.scans.scan import AsyncScan
from engram.model.spaces import SpaceConfig
from engram.showing import LINE_CHARACTERS_MAX, counted, cut, in_short, list_line, one_line

NUMBER: Final = 0.123456
LONG: Final = "a\nb\x00ä🙂 " * 1000
NAME: Final = "n" * 64
MANY: Final = 10**18
PACKAGES: Final = ("engram", "engram.client")
CONNECTED: Final = {AsyncMemoryStore, AsyncRemoteStore, AsyncSnapshot, AsyncSpace, RemoteStore}
TOLD: Final = {Damage, SpaceConfig, SpaceStatistics}


def public_classes() -> set[type]:
    """The classes that the packages for users export, but for errors, which show what they say."""
    modules = [importlib.import_module(name) for name in PACKAGES]
    exported = [getattr(module, name) for module in modules for name in module.__all__]
    classes = {each for each in exported if isinstance(each, type) and not issubclass(each, EngramError)}
    return classes | CONNECTED | TOLD


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    with MemoryStore(None) as opened:
        space = opened.space(NAME, dim=768)
        vectors = np.full((300, 768), NUMBER)
        ids = [f"{number}-{LONG[:100]}" for number in range(300)]
        metadata: list[Any] = [{"k" * 100: f"{number} {LONG[:150]}", "deck": number} for number in range(300)]
        space.observe(ids, vectors, [LONG] * 300, metadata=metadata, tags=[[f"{LONG[:20]}{n}"] for n in range(300)])
        yield opened


def of_statuses() -> list[object]:
    config = SpaceConfig(NAME, 4096, "l2", "lexical", "optional", 1e9)
    problem = Problem("log_failed", NAME, "failed", MANY, LONG, LONG)
    damage = Damage(NAME, LONG, MANY, MANY, MANY, LONG)
    status = SpaceStatus(config, MANY, MANY, MANY, MANY, MANY, MANY, MANY, problems=(problem,) * 100)
    lane, worker = LaneStatus("normal", MANY, MANY, MANY, MANY), WorkerStatus(1, MANY, MANY, MANY, MANY, NUMBER)
    unsound = UnsoundSpace(NAME, "corrupt_data", LONG)
    parts = (lane,) * 3, (worker,) * 9, (status,) * 9
    server = ServerStatus("0.2.0", NUMBER, MANY, MANY, MANY, MANY, MANY, MANY, *parts, MANY, (damage,) * 9)
    return [config, problem, damage, status, lane, worker, unsound, server]


def of_arguments() -> list[object]:
    condition = F["k" * 200].is_in([f"{LONG[:100]}{number}" for number in range(500)])
    cue = Cue(np.full(768, NUMBER), LONG, filter=condition, score_min=NUMBER)
    options = StoreOptions(ef=77, workers=3, drain_s=2.0, retained_count=9, retained_s=8.0, recent_tau_s=5.0)
    return [
        *(condition, ~condition, (F.deck > 2) & condition, F.deck, F["k" * 250], F),
        *(Own, Own.id, Own.tags, Own.confidence, cue, options),
        Filter(tags={f"{number}{LONG[:100]}" for number in range(60)}, since="2025-01-31", confidence_min=0.5),
        RecallQuery(cue, 10_000, 100, MANY, ef=10_000, timeout_ms=1000, skip_damaged=True, include_vectors=True),
        *(Between(1e300, 1.5e300), Strength(1e9, "power", False), RetentionPolicy(1e9, 2**53)),
        *(OutboxLimits(1, 2, 3, 4, 5.0), StreamOptions()),
    ]


def of_calls(store: MemoryStore) -> list[object]:
    space = store.space(NAME)
    snapshot = space.snapshot()
    ids = [hit.id for hit in space.scan()]
    hits = space.recall(np.ones(768), k=300)
    found: list[object] = [store, space, snapshot, hits, hits[0], space.get([*ids, "never"]), space.stats()]
    found += [space.scan(), next(space.scan(page_size=100).pages()), space.recall_stream(np.ones(768))]
    facets = space.facets(["k" * 100, "deck"])
    found += [facets, *facets.values(), facets["k" * 100].values[0]]
    feed = space.changes(after_generation=0, timeout_s=60)
    found += [feed, next(feed)]
    feed.close()
    face, coroutines = AsyncMemoryStore(store), AsyncSpace(space)
    found += [face, coroutines, coroutines.changes()]
    return [*found, AsyncSnapshot(snapshot), AsyncScan(_nothing, space.scan().first)]


async def _nothing(request: object) -> Any:
    raise NotImplementedError


def of_clients() -> list[object]:
    address = "ws://127.0.0.1:1"
    client, asynchronous = Client(address, space=NAME), AsyncClient(address, space=NAME)
    stores = [RemoteStore(address), AsyncRemoteStore(address)]
    return [client, asynchronous, ClientSnapshot(client, MANY), AsyncClientSnapshot(asynchronous, MANY), *stores]


def of_answers() -> list[object]:
    index = HnswIndex(768)
    index.add(np.full((9, 768), NUMBER))
    receipt = ErasureReceipt(NAME, "0" * 32, ("d" * 32,) * 1000, MANY, MANY, MANY)
    return [Ack(1, MANY, 1, MANY, ids=("i" * 36,) * 1000), Counted(MANY, MANY), Deletion(MANY, MANY), receipt, index]


def test_everything_shows_itself_in_one_short_line_without_vectors(store: MemoryStore) -> None:
    things = [*of_statuses(), *of_arguments(), *of_calls(store), *of_clients(), *of_answers()]
    assert {kind.__name__ for kind in public_classes() if not any(isinstance(each, kind) for each in things)} == set()
    for thing in things:
        line = repr(thing)
        assert "\n" not in line, line
        assert 0 < len(line) <= LINE_CHARACTERS_MAX, line
        assert "array" not in line, line
        # The seconds of a status are no number of a vector.
        assert str(NUMBER) not in line or isinstance(thing, ServerStatus | WorkerStatus | Cue), line
        assert " at 0x" not in line, line


def test_only_what_is_not_as_by_default_is_shown() -> None:
    assert repr(StoreOptions()) == "StoreOptions()"
    assert repr(StoreOptions(ef=77)) == "StoreOptions(ef=77)"
    assert repr(SpaceConfig("notes", 3)) == "SpaceConfig(name='notes', dim=3)"
    assert repr(Filter(tags={"a"})) == "Filter(tags=frozenset({'a'}))"
    assert repr(RecallQuery(Cue(text="a"), k=3)) == "RecallQuery(cue=Cue(text='a'), k=3)"


@dataclass
class Wide:
    """Has more fields than a line shows."""

    first: str
    many: list[str] = field(default_factory=lambda: ["a"])
    hidden: int = field(default=0, repr=False)
    second: str = ""
    third: str = ""
    fourth: str = ""
    __repr__ = one_line


class Pair(NamedTuple):
    left: int
    right: int = 5

    def __repr__(self) -> str:
        return one_line(self)


def test_fields_that_do_not_fit_are_left_out() -> None:
    assert repr(Wide("a")) == "Wide(first='a')"
    assert repr(Wide("a", ["b"], 7, "x")) == "Wide(first='a', many=['b'], second='x')"
    line = repr(Wide("a", second="x" * 60, third="y" * 60, fourth="z" * 60))
    assert line.startswith("Wide(first='a', second='xxx")
    assert line.endswith("y', ...)")
    assert (repr(Pair(1)), repr(Pair(1, 6))) == ("Pair(left=1)", "Pair(left=1, right=6)")


def test_what_is_long_is_cut() -> None:
    assert (cut("abc", 3), cut("abcdefgh", 6)) == ("abc", "abc...")
    assert (in_short("a" * 9, 4), in_short(7), in_short("'")) == ("'aaaa...'", "7", '"\'"')
    assert in_short(np.zeros((9, 9))).count("\n") == 0
    assert (counted(1, "hit"), counted(0, "hit"), counted(1234, "hit")) == ("1 hit", "0 hits", "1,234 hits")
    assert list_line("Some", [], "n=1") == "Some([], n=1)"
    assert list_line("Some", ["a", None], "n=1") == "Some(['a', None], n=1)"
    line = list_line("Some", ["x" * 90] * 12_345, "n=1")
    assert line.endswith("... 12,344 more], n=1)")
    assert len(line) <= LINE_CHARACTERS_MAX


def test_what_calls_return_can_be_pickled(store: MemoryStore) -> None:
    space = store.space(NAME)
    ids = [hit.id for hit in space.scan()][:3]
    page = next(space.scan(page_size=3).pages())
    for thing in (page, space.get([*ids, "never"]), space.facets("deck"), space.recall(np.ones(768), k=3)):
        again = pickle.loads(pickle.dumps(thing))  # noqa: S301  (It was made here.)
        assert (type(again), again, vars(again)) == (type(thing), thing, vars(thing))


def test_notebooks_show_tables(store: MemoryStore) -> None:
    space = store.space("notes", dim=3)
    texts = ["<b>pump</b>", "x" * 500]
    space.observe(["a", "b"], np.eye(3)[:2], texts, metadata=[{"deck": 2, "room": "<i>"}, {"deck": 9}])
    found = space.get(["a", "never"])._repr_html_()
    assert "&lt;b&gt;pump&lt;/b&gt;" in found
    assert "no observation has this id" in found
    assert found.endswith("<p>2 ids of generation 2.</p>")
    page = next(space.scan().pages())._repr_html_()
    assert (page.count("<tr>"), page.endswith("<p>2 hits of generation 2.</p>")) == (3, True)
    facets = space.facets(["deck", "room"])._repr_html_()
    two, nine = r"2(\.0)?", r"9(\.0)?"
    assert re.search(rf"<td>{two}</td><td>{nine}</td><td>{two} \(1\), {nine} \(1\)</td>", facets), facets
    assert "<td>deck</td><td>2</td><td>2</td>" in facets
    assert "&lt;i&gt; (1)" in facets
    assert facets.endswith("<p>2 observations of generation 2.</p>")
    for shown in (found, page, facets):
        assert "<b>" not in shown
        assert "<i>" not in shown
        assert len(shown) < 3_000


def test_hits_and_pages_become_tables_of_pandas(store: MemoryStore) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    page = next(store.space(NAME).scan(page_size=3).pages())
    assert pandas.DataFrame(page)["generation"].tolist() == [1, 2, 3]
    facets = store.space(NAME).facets("deck")
    assert pandas.DataFrame(list(facets["deck"].values))["count"].sum() == 100
