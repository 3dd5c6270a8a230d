"""Large batches, large texts, long values of filters, very many hits: the same embedded and over every transport."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import pytest

from engram import Ack, Condition, Cue, F, Filter, Own
from engram.errors import EngramError, InvalidInput, NotFound
from tests.integration.homes import HOMES, ids, vector_of
from tests.integration.socket_client import SocketServer

MIB = 2**20
COUNT = 10_050
NAMES = [f"id-{number}" for number in range(COUNT)]
TEXTS = [f"text of {name}" for name in NAMES]
EVERYTHING = Cue(filter=Filter(tags={"all"}))


@pytest.fixture(params=HOMES)
def texts_home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    """A space without vectors, in which many observations cost little."""
    with HOMES[request.param].space(server, vectors="none") as home:
        yield home


def failed(kind: type[EngramError], call: Any) -> tuple[str, str, int]:
    with pytest.raises(kind) as error:
        call()
    return error.value.code, error.value.field, error.value.stored_count


def test_any_number_of_observations_is_stored_changed_and_deleted_at_once(texts_home: Any) -> None:
    home = texts_home
    ack = home.observe(NAMES, contents=TEXTS, tags=[["a"]] * COUNT)
    assert isinstance(ack, Ack)
    assert (ack.count, ack.first_generation, ack.last_generation, ack.exact) == (COUNT, 1, COUNT, True)
    assert [hit.content for hit in home.get(NAMES)] == TEXTS
    changed = home.update(NAMES, metadata=[{"n": number} for number in range(COUNT)])
    assert (changed.count, int(changed)) == (COUNT, 2 * COUNT)
    last = home.get(NAMES[-1])
    assert (last.content, last.metadata, last.tags) == (TEXTS[-1], {"n": COUNT - 1}, ["a"])
    assert home.delete([*NAMES, *NAMES, "unknown"], dry_run=True) == COUNT
    deleted = home.delete([*NAMES[1:], *NAMES[1:], "unknown"])
    assert (int(deleted), home.count()) == (COUNT - 1, 1)


def test_any_number_of_observations_is_submitted_at_once(texts_home: Any) -> None:
    ack = texts_home.submit(NAMES, contents=TEXTS).result()
    assert (ack.count, ack.last_generation) == (COUNT, COUNT)
    assert texts_home.count() == COUNT


def test_any_number_of_ids_is_made_up(texts_home: Any) -> None:
    observed = texts_home.observe(contents=TEXTS)
    submitted = texts_home.submit(contents=TEXTS).result()
    made = [*observed.ids, *submitted.ids]
    assert (observed.count, submitted.count, len(made)) == (COUNT, COUNT, 2 * COUNT)
    assert made == sorted(set(made))
    assert [hit.content for hit in texts_home.get(made)] == [*TEXTS, *TEXTS]


def test_any_number_of_ids_is_erased_with_one_receipt(texts_home: Any) -> None:
    texts_home.observe(["a", "b"], contents=["a secret", "another"])
    receipt = texts_home.erase([*NAMES, "a"])
    assert (receipt.count, len(receipt.digests)) == (1, COUNT + 1)
    assert ids(texts_home.scan()) == ["b"]


def test_nothing_is_stored_if_any_row_is_refused(texts_home: Any) -> None:
    home = texts_home
    long_id = [*NAMES[:-1], "i" * 1025]
    place = COUNT - 1
    assert failed(InvalidInput, lambda: home.observe(long_id, contents=TEXTS)) == ("id_size", f"id[{place}]", 0)
    assert failed(InvalidInput, lambda: home.submit(long_id, contents=TEXTS)) == ("id_size", f"id[{place}]", 0)
    short = failed(InvalidInput, lambda: home.observe(NAMES, contents=TEXTS[:-1]))
    assert short == ("column_length", "contents", 0)
    twice = failed(InvalidInput, lambda: home.update([*NAMES, NAMES[0]], contents=[*TEXTS, "x"]))
    assert twice == ("duplicate_id", f"ids[{COUNT}]", 0)
    # All conditions hold or nothing is stored, which only one part can promise.
    assert failed(InvalidInput, lambda: home.observe(NAMES, contents=TEXTS, if_absent=True))[0] == "batch_count"
    assert home.count() == 0


def test_an_error_says_how_many_rows_are_done_all_the_same(texts_home: Any) -> None:
    home = texts_home
    home.observe(NAMES[:-1], contents=TEXTS[:-1])
    code, _, done = failed(NotFound, lambda: home.update(NAMES, contents=["new"] * COUNT))
    assert (code, done) == ("missing_ids", 10_000)
    assert [home.get(name).content for name in (NAMES[0], NAMES[9_999], NAMES[10_000])] == ["new", "new", TEXTS[10_000]]


def test_the_largest_texts_come_back_in_every_way(texts_home: Any) -> None:
    home = texts_home
    names = [f"{number}".ljust(1024, "i") for number in range(4)]
    texts = [f'{number} pump "\n'.ljust(16 * MIB, "x") for number in range(4)]
    metadata = {"k": "m" * (MIB - 8)}
    tag = "t" * 16_384
    home.observe(names[0], content=texts[0], metadata=metadata, tags=[tag])
    # Together they are more than a batch may have.
    assert home.observe(names[1:], contents=texts[1:]).count == 3
    hit = home.get(names[0])
    assert (hit.content, hit.metadata, hit.tags) == (texts[0], metadata, [tag])
    # Together they are more than a message may have.
    assert [each.content for each in home.get(names)] == texts
    assert [each.content for each in home.scan()] == texts
    assert sorted(ids(home.recall(Cue(text="pump", by="words"), 10))) == names
    streamed = [each for hits in home.recall_stream(Cue(text="pump", by="words"), 10) for each in hits]
    assert {each.id: each.content for each in streamed} == dict(zip(names, texts, strict=True))
    assert home.update(names[0], metadata={"k": None, "n": 1}) == 5
    assert home.get(names[0]).content == texts[0]


def test_the_largest_texts_are_told_to_followers(texts_home: Any) -> None:
    home = texts_home
    texts = [f"{letter} pump ".ljust(16 * MIB, "x") for letter in "abc"]
    assert home.observe(["a", "b", "c"], contents=texts).count == 3
    with closing(home.changes(after_generation=0)) as feed:
        assert [change.hit.content for change in islice(feed, 3)] == texts
        assert feed.generation == 3
    with closing(home.follow(Cue(text="pump", by="words"), after_generation=0)) as following:
        assert [hit.content for hit in islice(following, 3)] == texts


def test_a_feed_tells_each_row_of_a_large_batch_once_and_in_order(texts_home: Any) -> None:
    texts_home.observe(NAMES, contents=TEXTS)
    with closing(texts_home.changes(after_generation=9_000)) as feed:
        assert [(change.id, change.generation) for change in islice(feed, COUNT - 9_000)] == [
            (name, number) for number, name in enumerate(NAMES[9_000:], 9_001)
        ]


def test_values_of_filters_may_be_of_any_length(texts_home: Any) -> None:
    home = texts_home
    long = [f"{letter * 5000} {number}" for number, letter in enumerate("aab")]
    names = ["0", "1", "2"]
    metadata, tags = [{"path": text} for text in long], [[text] for text in long]
    home.observe(names, contents=["x", "y", "z"], metadata=metadata, tags=tags)
    cases: list[tuple[Filter | Condition, list[str]]] = [
        (F.path == long[0], ["0"]),
        (F.path == long[0][:-1], []),
        (F.path != long[0], ["1", "2"]),
        (F.path.is_in([long[1], long[2], "b" * 5000]), ["1", "2"]),
        (F.path.starts_with("a" * 5000), ["0", "1"]),
        (F.path.starts_with("a" * 5001), []),
        (F.path >= long[1], ["1", "2"]),
        (Own.tags.has_any([long[0], long[2]]), ["0", "2"]),
        (Own.tags.has_all([long[0]]), ["0"]),
        (Own.tags.has_none([long[0], "a" * 5000]), ["1", "2"]),
        (Filter(metadata={"path": long[1]}), ["1"]),
        (Filter(tags={long[2]}), ["2"]),
        (Filter(without_tags={long[2]}), ["0", "1"]),
        (Filter(tags={"never seen" * 1000}), []),
    ]
    for filter, expected in cases:
        assert (sorted(ids(home.recall(Cue(filter=filter), 10))), home.count(filter)) == (expected, len(expected))
    assert [value.value for value in home.facets(fields="tags")["tags"].values] == sorted(long)


def test_a_recall_has_any_number_of_hits(texts_home: Any) -> None:
    home = texts_home
    tags = [["all", "even"] if number % 2 == 0 else ["all"] for number in range(COUNT)]
    home.observe(NAMES, contents=TEXTS, tags=tags)
    hits = home.recall(EVERYTHING, COUNT + 1)
    # Without a ranking, the newest come first.
    assert (ids(hits), hits.generation) == (NAMES[::-1], COUNT)
    assert len(home.recall(Cue(filter=Filter(tags={"even"})), 10_001)) == COUNT // 2
    assert home.recall(Cue(filter=Filter(tags={"odd"})), 10_001).generation == COUNT
    assert sum(map(len, home.recall_stream(EVERYTHING, COUNT, 100))) == COUNT
    first, second = home.recall_many([EVERYTHING, Cue(text="text", by="words")], 10_001)
    assert (len(first), len(second)) == (10_001, 10_001)
    assert (first.generation, second.generation) == (COUNT, COUNT)


@pytest.mark.parametrize("name", HOMES)
def test_very_many_hits_are_the_nearest_in_their_order(name: str, server: SocketServer) -> None:
    vectors = np.random.default_rng(3).standard_normal((COUNT, len(vector_of("a")))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with HOMES[name].space(server) as home:
        home.observe(NAMES, vectors)
        hits = home.recall(vectors[0], 10_001)
        assert (len(hits), len({hit.id for hit in hits})) == (10_001, 10_001)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        exact = np.sort(vectors @ vectors[0])[::-1]
        assert np.mean(scores) == pytest.approx(np.mean(exact[:10_001]), abs=1e-3)
