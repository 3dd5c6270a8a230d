"""Memory spaces: their names, and the settings that are fixed when a space is created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.errors import AlreadyExists, InvalidInput
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.values.scalars import as_text, as_whole, shown

Metric = Literal["cosine", "ip", "l2"]
METRICS: Final[tuple[str, ...]] = get_args(Metric)
METRIC_DEFAULT: Final[Metric] = "cosine"
# Metrics that compare directions, so that a vector of length zero cannot be compared. `native/metric.hpp` has all that
# a metric is; these names repeat what is needed where the native core must not be loaded, and a test compares both.
DIRECTIONAL_METRICS: Final[frozenset[Metric]] = frozenset({"cosine"})

DEFAULT_SPACE: Final = "default"
NAME_PATTERN: Final = "[a-z0-9_-]{3,64}"
"""What names of spaces match, as a regular expression."""

_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """The settings of one memory space, which are recorded when the space is created and never change.

    Parameters
    ----------
    name
        Name of the space; it matches ``[a-z0-9_-]{3,64}``.
    dim
        Dimension of every vector in the space, 1 to 4096.
    metric
        Name of the metric: one of `METRICS`. A larger score always means nearer.
    embedder
        Name of the embedder that turns texts into vectors; ``""`` for none.

    Raises
    ------
    InvalidInput
        If a setting has the wrong type or is out of range; the error names the value and what to pass. Files are
        written from checked settings, so no file holds invalid ones.
    """

    name: str
    dim: int = DIMENSION_DEFAULT
    metric: Metric = METRIC_DEFAULT
    embedder: str = ""

    def __post_init__(self) -> None:
        check_space_name(self.name)
        dim = as_whole("dimension", self.dim, DIMENSION_MIN, DIMENSION_MAX, code="invalid_dimension")
        # Python's `json` cannot encode a NumPy integer.
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
    """Return whether `name` is a valid name of a space."""
    return _NAME.fullmatch(name) is not None


def check_space_name(name: str, field: str = "memory_space_id") -> str:
    """Return `name` if it is a valid name of a space.

    Parameters
    ----------
    field
        What the error names.

    Raises
    ------
    InvalidInput
        If `name` is not a text, or does not match ``[a-z0-9_-]{3,64}``.
    """
    as_text(field, name, code="invalid_space_name")
    if not _NAME.fullmatch(name):
        shown = name[:64]
        raise InvalidInput(
            f"space name {shown!r} does not match [a-z0-9_-]{{3,64}}",
            code="invalid_space_name",
            field=field,
            limit="[a-z0-9_-]{3,64}",
            value=shown,
        )
    return name


def asks_for_settings(dim: int | None, metric: Metric | None, embedder: str | None) -> bool:
    """Return whether any setting of a space is asked for."""
    # One by one: an array has a comparison of its own.
    return dim is not None or metric is not None or embedder is not None


def asked_config(name: str, dim: int | None, metric: Metric | None, embedder: str | None) -> SpaceConfig:
    """Return the settings that a new space would have; None asks for the default.

    Raises
    ------
    InvalidInput
        As `SpaceConfig`.
    """
    return SpaceConfig(
        name,
        DIMENSION_DEFAULT if dim is None else dim,
        METRIC_DEFAULT if metric is None else metric,
        "" if embedder is None else embedder,
    )


def check_settings_of(config: SpaceConfig, dim: int | None, metric: Metric | None, embedder: str | None) -> None:
    """Check that a space that exists has the settings that are asked for, which are sound; None asks for nothing.

    Raises
    ------
    AlreadyExists
        Naming the first setting that it does not have.
    """
    for name, has, wanted in (
        ("dimension", config.dim, dim),
        ("metric", config.metric, metric),
        ("embedder", config.embedder, embedder),
    ):
        if wanted is not None and wanted != has:
            raise AlreadyExists(
                f"space {config.name!r} exists with {name} {has!r}, not {wanted!r}",
                code="space_exists",
                field=name,
                limit=has,
                value=wanted,
            )
