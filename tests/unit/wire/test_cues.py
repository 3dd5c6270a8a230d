"""Cues survive the wire, and what cannot be read is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.cue import Between, Cue, Filter
from engram.model.strength import Strength
from engram.wire import engram_pb2 as pb
from engram.wire.cues import decode_cue, decode_strength, encode_cue, encode_strength

TEXTS = st.text(min_size=1, max_size=8)
SCALARS = (
    TEXTS | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()
)
NUMBERS = st.floats(-1e6, 1e6)
RANGES = st.builds(Between, st.none() | st.floats(-1e6, 0), st.none() | st.floats(0, 1e6)) | NUMBERS.map(Between)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
FILTERS = st.builds(
    Filter,
    since=MOMENTS,
    until=MOMENTS,
    tags=st.frozensets(TEXTS, max_size=3),
    without_tags=st.frozensets(TEXTS, max_size=3),
    metadata=st.dictionaries(TEXTS, SCALARS | RANGES, max_size=3),
    confidence_min=st.sampled_from([0.0, 0.25, 1.0]),
)


@given(filter=FILTERS)
def test_a_filter_arrives_as_it_was_sent(filter: Filter) -> None:
    arrived = decode_cue(pb.Cue.FromString(encode_cue(Cue(filter=filter)).SerializeToString())).filter
    assert isinstance(arrived, Filter)
    assert (arrived.since_us, arrived.until_us) == (filter.since_us, filter.until_us)
    assert (arrived.tags, arrived.without_tags) == (filter.tags, filter.without_tags)
    assert arrived.metadata == filter.metadata
    assert [type(value) for value in arrived.metadata.values()] == [type(value) for value in filter.metadata.values()]
    assert arrived.confidence_min == filter.confidence_min


@pytest.mark.parametrize("score_min", [None, -2.5, 0.0, 0.5])
def test_a_vector_arrives_with_its_limit(score_min: float | None) -> None:
    cue = decode_cue(encode_cue(Cue([1, 2, 3], score_min=score_min)))
    assert isinstance(cue.vector, np.ndarray)
    assert cue.vector.tolist() == [1, 2, 3]
    assert (cue.text, cue.by, cue.score_min) == ("", "similarity", score_min)


def test_a_text_arrives_with_its_way_of_searching() -> None:
    cue = decode_cue(encode_cue(Cue([1.0], text="leaking pump", by="both")))
    assert (cue.text, cue.by) == ("leaking pump", "both")
    assert cue.vector is not None


def test_times_of_the_original_cue_and_of_the_filter_narrow_each_other() -> None:
    cue = pb.Cue(temporal=pb.TemporalCue())
    for field, of_cue, of_filter in (("start", 10, 20), ("end", 40, 30)):
        getattr(cue.temporal, field).FromSeconds(of_cue)
        getattr(cue.filter, "since" if field == "start" else "until").FromSeconds(of_filter)
    arrived = decode_cue(cue)
    assert isinstance(arrived.filter, Filter)
    assert (arrived.filter.since, arrived.filter.until) == (20, 30)
    assert not arrived.ranks


def test_datetimes_are_moments() -> None:
    cue = decode_cue(encode_cue(Cue(filter=Filter(since=datetime(2025, 1, 31, tzinfo=UTC)))))
    assert isinstance(cue.filter, Filter)
    assert cue.filter.since == 1738281600


@pytest.mark.parametrize(
    "cue",
    [
        pb.Cue(by=77, text="x"),  # type: ignore[arg-type]  # Not in the enumeration.
        pb.Cue(filter=pb.CueFilter(metadata=[pb.MetadataCondition(key="k", equals_json="{")])),
        pb.Cue(filter=pb.CueFilter(metadata=[pb.MetadataCondition(key="k", equals_json="[1]")])),
        pb.Cue(filter=pb.CueFilter(metadata=[pb.MetadataCondition(key="k")])),
        pb.Cue(filter=pb.CueFilter(confidence_min=2)),
        pb.Cue(filter=pb.CueFilter(required_tags=[f"{i}" for i in range(65)])),
        pb.Cue(by=pb.CUE_BY_WORDS, filter=pb.CueFilter()),
    ],
)
def test_cues_that_say_nothing_sensible_are_refused(cue: pb.Cue) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_cue(cue)
    assert caught.value.code == "invalid_cue"


def test_a_cue_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_cue(pb.Cue())
    assert caught.value.code == "cue_missing"


@pytest.mark.parametrize("strength", [Strength(), Strength(60, "power", reinforce=False), Strength(0.5)])
def test_a_weighing_arrives_as_it_was_sent(strength: Strength) -> None:
    assert decode_strength(encode_strength(strength)) == strength
