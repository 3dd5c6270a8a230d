"""Whether it was right to refuse a generation as one that is no longer retained."""

from __future__ import annotations

from engram import RetentionPolicy
from tests.integration.recall_checker.content import ENDED_TOGETHER
from tests.integration.recall_checker.history import TooOld
from tests.integration.recall_checker.model import Model


def check_too_old(model: Model, refused: TooOld, retention: RetentionPolicy) -> None:
    """Fail if a space retained what was refused, as it retains so much of its history."""
    newest = model.newest_at(refused.answered_us)
    assert refused.generation < refused.oldest <= newest, f"retained by its own account: {refused}"
    is_over = _is_over_by_age(model, refused, retention.history_s)
    assert is_over or _is_over_by_count(model, refused, newest, retention.dead_count), f"to be retained: {refused}"


def _is_over_by_age(model: Model, refused: TooOld, history_s: float | None) -> bool:
    """Whether all up to the oldest retained generation may have been there for so long, so that it was the newest."""
    if history_s is None:
        return False
    return refused.oldest <= model.newest_at(refused.answered_us - round(history_s * 1e6))


def _is_over_by_count(model: Model, refused: TooOld, newest: int, dead_count: int | None) -> bool:
    """Whether more versions have ended since than are retained, or with what left the history last."""
    if dead_count is None:
        return False
    return model.ended_count(refused.oldest - ENDED_TOGETHER + 1, newest) > dead_count
