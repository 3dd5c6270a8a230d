"""Memories fade with age, and recalling them makes them stronger."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.strength import Forgetting, Strength
from engram.store.recall.reinforcement import Memories, Reinforcement

NOW_US = 1_000_000_000_000


def memories(
    *, similarity: float = 1.0, confidence: float = 1.0, importance: float = 1.0, age_s: float = 0.0
) -> Memories:
    return Memories(
        np.array([7]),
        np.array([similarity], np.float32),
        np.array([confidence], np.float32),
        np.array([importance], np.float32),
        np.array([NOW_US - round(age_s * 1e6)]),
    )


def weight(one: Memories, strength: Strength | None = None, after: int = 0, metric: str = "cosine") -> float:
    reinforcement = Reinforcement(100.0)
    for number in range(after):
        reinforcement.reinforce([7], NOW_US - 1_000_000_000 + number)
    return float(reinforcement.strengths(one, strength or Strength(), metric, NOW_US)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("forgetting", ["exponential", "power"])
def test_half_is_left_after_the_half_life(forgetting: Forgetting) -> None:
    strength = Strength(half_life_s=50, forgetting=forgetting)
    assert weight(memories(age_s=50), strength) == pytest.approx(0.5)
    assert weight(memories(), strength) == 1


def test_a_power_law_forgets_old_things_more_slowly() -> None:
    old = memories(age_s=1000)
    assert weight(old, Strength(forgetting="power")) == pytest.approx(1 / 11)
    assert weight(old) == pytest.approx(2**-10)


def test_the_store_has_a_half_life_for_recalls_that_name_none() -> None:
    assert weight(memories(age_s=100)) == pytest.approx(0.5)


def test_certainty_and_importance_count() -> None:
    assert weight(memories(confidence=0.5)) == pytest.approx(0.5)
    assert weight(memories(importance=0.0)) == pytest.approx(0.5)


@pytest.mark.parametrize(("metric", "score", "expected"), [("cosine", -0.5, 0), ("ip", 3, 3), ("l2", -4, 0.2)])
def test_similarities_of_every_metric_become_weights(metric: str, score: float, expected: float) -> None:
    assert weight(memories(similarity=score), metric=metric) == pytest.approx(expected)


def test_recalling_slows_forgetting_down_and_counts_age_anew() -> None:
    # Recalled once, 1 000 s ago: twice the half-life of 100 s.
    assert weight(memories(age_s=5000), after=1) == pytest.approx(2**-5)
    assert weight(memories(age_s=5000), after=4) == pytest.approx(2**-2, rel=1e-4)


def test_what_is_observed_in_the_future_is_not_stronger_than_now() -> None:
    assert weight(memories(age_s=-50)) == 1


@pytest.mark.parametrize("arguments", [{"half_life_s": 0}, {"half_life_s": float("inf")}, {"forgetting": "never"}])
def test_senseless_settings_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Strength(**arguments)  # type: ignore[arg-type]
    assert caught.value.code == "invalid_strength"
