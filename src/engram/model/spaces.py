"""Memory spaces: their names, and the settings that are fixed when a space is created."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

from engram.errors import AlreadyExists, InvalidInput
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.values.expiry import Ttl, checked_ttl_s
from engram.model.values.scalars import as_flag, as_text, as_whole, shown
from engram.showing import one_line

Metric = Literal["cosine", "ip", "l2"]
METRICS: Final[tuple[str, ...]] = get_args(Metric)
METRIC_DEFAULT: Final[Metric] = "cosine"
Vectors = Literal["required", "optional", "none"]
VECTORS: Final[tuple[str, ...]] = get_args(Vectors)
VECTORS_DEFAULT: Final[Vectors] = "required"
# Metrics that compare directions, so that a vector of length zero cannot be compared. `native/metric.hpp` has all that
# a metric is; these names repeat what is needed where the native core must not be loaded, and a test compares both.
DIRECTIONAL_METRICS: Final[frozenset[Metric]] = frozenset({"cosine"})

DEFAULT_SPACE: Final = "default"
NAME_PATTERN: Final = "[a-z0-9_-]{3,64}"
"""What names of spaces match, as a regular expression."""

_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """The settings of one memory space, which are recorded when the space is created; all but `ttl_s` never change.

    Parameters
    ----------
    name
        Name of the space; it matches ``[a-z0-9_-]{3,64}``.
    dim
        Dimension of every vector in the space, 1 to 4096; 0 in a space without vectors.
    metric
        Name of the metric: one of `METRICS`. A larger score always means nearer.
    embedder
        Name of the embedder that turns texts into vectors; ``""`` for none.
    vectors
        Whether observations have vectors: each of them (``"required"``), some (``"optional"``) or ``"none"``.
    ttl_s
        Seconds after which an observation expires that does not say when it does; None: never.

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
    vectors: Vectors = VECTORS_DEFAULT
    ttl_s: float | None = None

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        check_space_name(self.name)
        _check_vectors_setting(self.vectors)
        has_none = self.vectors == "none"
        least, most = (0, 0) if has_none else (DIMENSION_MIN, DIMENSION_MAX)
        dim = as_whole("dimension", self.dim, least, most, code="invalid_dimension")
        # Python's `json` cannot encode a number of NumPy.
        object.__setattr__(self, "dim", dim)
        object.__setattr__(self, "ttl_s", checked_ttl_s(self.ttl_s, "ttl_s"))
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
        if has_none and self.embedder:
            raise InvalidInput(
                f"a space without vectors has no embedder; {shown(self.embedder, with_type=False)} is refused",
                code="vectors_refused",
                field="embedder",
                limit="none",
                value=self.embedder,
            )

    @property
    def index_dim(self) -> int:
        """Dimension of the index, which has at least one, also where it stays empty."""
        return max(self.dim, DIMENSION_MIN)

    def settings(self) -> dict[str, object]:
        """Return the settings as they are stored, by name.

        What is as it has always been is left out, so that older versions read what they understand, and no more.
        """
        settings: dict[str, object] = asdict(self)
        for name, default in (("vectors", VECTORS_DEFAULT), ("ttl_s", None)):
            if settings[name] == default:
                del settings[name]
        return settings


def dimension_of(dim: int | None, vectors: Vectors | None) -> int:
    """Return the dimension of a new space; None stands for what is not given."""
    if dim is not None:
        return dim
    # Not an array either, which has a comparison of its own.
    return 0 if isinstance(vectors, str) and vectors == "none" else DIMENSION_DEFAULT


def _check_vectors_setting(vectors: object) -> None:
    text = as_text("vectors", vectors, code="invalid_vectors_setting")
    if text not in VECTORS:
        raise InvalidInput(
            f"vectors {shown(text, with_type=False)} is not one of {', '.join(VECTORS)}",
            code="invalid_vectors_setting",
            field="vectors",
            limit=", ".join(VECTORS),
            value=shown(text, with_type=False),
        )


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


def asks_for_settings(
    dim: int | None, metric: Metric | None, embedder: str | None, vectors: Vectors | None, ttl: Ttl | None
) -> bool:
    """Return whether any setting of a space is asked for."""
    # One by one: an array has a comparison of its own.
    has_vectors = dim is not None or metric is not None or embedder is not None or vectors is not None
    return has_vectors or ttl is not None


def may_create(name: object, create: bool | None, asks: bool) -> bool:
    """Return whether a space that there is not is made: as `create` says, or else if a setting is asked for.

    Where nothing is said, ``default`` is made, too. `name` need not be checked yet.

    Raises
    ------
    InvalidInput
        If `create` is no truth value.
    """
    if create is not None:
        return as_flag("create", create)
    return asks or (isinstance(name, str) and name == DEFAULT_SPACE)


def asked_config(
    name: str,
    dim: int | None,
    metric: Metric | None,
    embedder: str | None,
    vectors: Vectors | None,
    ttl_s: float | None,
) -> SpaceConfig:
    """Return the settings that a new space would have; None asks for the default.

    Raises
    ------
    InvalidInput
        As `SpaceConfig`.
    """
    return SpaceConfig(
        name,
        dimension_of(dim, vectors),
        METRIC_DEFAULT if metric is None else metric,
        "" if embedder is None else embedder,
        VECTORS_DEFAULT if vectors is None else vectors,
        ttl_s,
    )


def check_settings_of(
    config: SpaceConfig,
    dim: int | None,
    metric: Metric | None,
    embedder: str | None,
    vectors: Vectors | None = None,
    ttl_s: float | None = None,
) -> None:
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
        ("vectors", config.vectors, vectors),
        ("ttl_s", config.ttl_s, ttl_s),
    ):
        if wanted is not None and wanted != has:
            raise AlreadyExists(
                f"space {config.name!r} exists with {name} {has!r}, not {wanted!r}",
                code="space_exists",
                field=name,
                limit=has,
                value=wanted,
            )
