"""What a memory space is: its name and the settings that are fixed when it is created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.errors import InvalidInput
from engram.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN

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
    """

    name: str
    dim: int = DIMENSION_DEFAULT
    metric: Metric = "cosine"
    embedder: str = ""

    def __post_init__(self) -> None:
        check_space_name(self.name)
        if not DIMENSION_MIN <= self.dim <= DIMENSION_MAX:
            raise InvalidInput(
                f"dimension {self.dim} is outside {DIMENSION_MIN}..{DIMENSION_MAX}",
                code="invalid_dimension",
                field="dimension",
                limit=f"{DIMENSION_MIN}..{DIMENSION_MAX}",
                value=self.dim,
            )
        if self.metric not in METRICS:
            raise InvalidInput(
                f"metric {self.metric!r} is not one of {', '.join(METRICS)}",
                code="invalid_metric",
                field="metric",
                limit=", ".join(METRICS),
                value=self.metric,
            )


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
    if not is_space_name(name):
        shown = name[:64]
        raise InvalidInput(
            f"space name {shown!r} does not match [a-z0-9_-]{{3,64}}",
            code="invalid_space_name",
            field="memory_space_id",
            limit="[a-z0-9_-]{3,64}",
            value=shown,
        )
    return name
