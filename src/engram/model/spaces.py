"""What a memory space is: its name and the settings that are fixed when it is created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.errors import InvalidInput
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.scalars import as_text, as_whole, shown

Metric = Literal["cosine", "ip", "l2"]
METRICS: Final[tuple[str, ...]] = get_args(Metric)

DEFAULT_SPACE: Final = "default"
_NAME = re.compile(r"[a-z0-9_-]{3,64}")


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """The settings of one memory space, recorded when it is created and never changed afterwards.

    Parameters
    ----------
    name
        ``[a-z0-9_-]{3,64}``.
    dim
        Length of every embedding in the space, 8 to 4096.
    metric
        ``"cosine"``, ``"ip"`` (inner product) or ``"l2"`` (Euclidean). Scores are always larger-is-nearer.
    embedder
        Name of the embedder that turns texts into vectors, or ``""`` for none.

    Raises
    ------
    InvalidInput
        If a setting is of another type or outside of its limits, naming what came and what to pass. A file is written
        from settings that passed, so none holds others.
    """

    name: str
    dim: int = DIMENSION_DEFAULT
    metric: Metric = "cosine"
    embedder: str = ""

    def __post_init__(self) -> None:
        check_space_name(self.name)
        dim = as_whole("dimension", self.dim, DIMENSION_MIN, DIMENSION_MAX, code="invalid_dimension")
        # A whole number of NumPy would not pass through JSON.
        object.__setattr__(self, "dim", dim)
        metric = as_text("metric", self.metric, code="invalid_metric")
        if metric not in METRICS:
            raise InvalidInput(
                f"metric {shown(metric, with_type=False)} is not one of {', '.join(METRICS)}",
                code="invalid_metric",
                field="metric",
                limit=", ".join(METRICS),
                value=shown(metric, with_type=False),
            )
        as_text("embedder", self.embedder, code="invalid_embedder_name")


def is_space_name(name: str) -> bool:
    """Whether `name` can name a space."""
    return _NAME.fullmatch(name) is not None


def check_space_name(name: str) -> str:
    """Return `name` if it can name a space.

    Raises
    ------
    InvalidInput
        If it does not match ``[a-z0-9_-]{3,64}``.
    """
    as_text("memory_space_id", name, code="invalid_space_name")
    if not _NAME.fullmatch(name):
        shown = name[:64]
        raise InvalidInput(
            f"space name {shown!r} does not match [a-z0-9_-]{{3,64}}",
            code="invalid_space_name",
            field="memory_space_id",
            limit="[a-z0-9_-]{3,64}",
            value=shown,
        )
    return name
