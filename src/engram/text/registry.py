"""The registry of embedders: a space records a name, and the engine looks the embedder up when texts need vectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from engram.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from engram.model.values.scalars import as_text
from engram.text.embedder import Embedder

EmbedderFactory = Callable[[int], Embedder]

_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def _make_lexical(dim: int) -> Embedder:
    from engram.text.lexical import LexicalEmbedder  # noqa: PLC0415  # Imported only when a space uses it.

    return LexicalEmbedder(dim)


def _make_minilm(dim: int) -> Embedder:
    from engram.text.minilm import MiniLMEmbedder  # noqa: PLC0415  # Its runtime is an optional dependency.

    return MiniLMEmbedder(dim)


_factories: Final[dict[str, EmbedderFactory]] = {"lexical": _make_lexical, "minilm": _make_minilm}


def register_embedder(name: str, factory: EmbedderFactory) -> None:
    """Make an embedder available to the spaces of this process under `name`.

    Register an embedder before opening a store whose spaces name it. Without its embedder a space can be opened and
    searched by vector, but it cannot embed text.

    Parameters
    ----------
    name
        ``[a-z0-9_-]{1,64}``; every space that uses the embedder records it.
    factory
        Called with the dimension of the space; returns the embedder. It raises `InvalidInput` if it cannot make vectors
        of that dimension.

    Raises
    ------
    InvalidInput
        If the name does not match the pattern.
    AlreadyExists
        If another factory is registered under the name. Replacing it would make new vectors incomparable with stored
        ones.
    """
    if not _NAME.fullmatch(as_text("embedder", name, code="invalid_embedder_name")):
        raise InvalidInput(
            f"embedder name {name[:64]!r} does not match {_NAME.pattern}",
            code="invalid_embedder_name",
            field="embedder",
            limit=_NAME.pattern,
            value=name[:64],
        )
    if _factories.setdefault(name, factory) is not factory:
        raise AlreadyExists(
            f"an embedder named {name!r} is already registered", code="embedder_exists", field="embedder", value=name
        )


def embedder_names() -> list[str]:
    """Return the registered names, sorted; ``minilm`` is among them even if its extra is not installed."""
    return sorted(_factories)


def get_embedder(name: str, dim: int) -> Embedder:
    """Return an embedder called `name` for vectors of length `dim`.

    Raises
    ------
    FailedPrecondition
        If `name` is empty because the space was created without an embedder (code ``no_embedder``).
    NotFound
        If no embedder is registered under `name` (code ``unknown_embedder``); the message lists the known names.
    InvalidInput
        If the embedder cannot make vectors of that dimension.
    MissingExtra
        If the embedder needs an optional dependency that is not installed.
    Unavailable
        If the embedder cannot load its weights (code ``weights``).
    """
    if not name:
        raise no_embedder()
    factory = _factories.get(name)
    if factory is None:
        raise NotFound(
            f"no embedder is called {name[:64]!r}; known are: {', '.join(embedder_names())}",
            code="unknown_embedder",
            field="embedder",
            limit=", ".join(embedder_names()),
            value=name[:64],
        )
    return factory(dim)


def no_embedder() -> FailedPrecondition:
    """Return the error for text where the space has no embedder."""
    names = ", ".join(embedder_names())
    return FailedPrecondition(
        f"this space has no embedder, so it takes vectors, not text; create a space with one of: {names}",
        code="no_embedder",
        field="embedder",
        limit=names,
    )
