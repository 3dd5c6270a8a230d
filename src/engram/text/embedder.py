"""The `Embedder` protocol, and the check that every embedder makes of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput

READ_CHARACTERS_MAX: Final = 65_536
"""Characters of a text that an embedder of Engram reads. The vector of a longer text is that of its beginning."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one dimension; the same text always gives the same vector, also after a restart.

    A space records the name of its embedder, not the embedder. The embedder that is registered under a name must
    therefore produce comparable vectors for as long as there are spaces with that name.
    """

    @property
    def name(self) -> str:
        """Name under which the embedder is registered, and which spaces record."""
        ...

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of unit length per text, never a zero vector: float32, shape ``(len(texts), dim)``.

        Several threads may call it at the same time.

        Raises
        ------
        InvalidInput
            If a text is not a string, or contains nothing but white space; see `check_texts`.
        """
        ...


def check_texts(texts: Sequence[str]) -> Sequence[str]:
    """Return what is read of `texts` if each of them can be embedded; see `READ_CHARACTERS_MAX`.

    White space is refused: it has no direction, and an arbitrary vector for it would turn up in recalls.

    Raises
    ------
    InvalidInput
        With code ``invalid_text`` if an element is not a string, and ``empty_text`` if it is empty or all white space.
        The error's field names the position.
    """
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput(
                f"text {row} is of type {type(text).__name__}; only strings can be embedded",
                code="invalid_text",
                field=f"texts[{row}]",
                limit="str",
                value=type(text).__name__,
            )
        if not text or text.isspace():
            raise InvalidInput(
                f"text {row} is empty, so it has no direction to embed; give it words or a vector of your own",
                code="empty_text",
                field=f"texts[{row}]",
                limit="at least one visible character",
                value=repr(text[:20]),
            )
    if max(map(len, texts), default=0) <= READ_CHARACTERS_MAX:
        return texts
    return [_beginning(text) for text in texts]


def _beginning(text: str) -> str:
    return text if len(text) <= READ_CHARACTERS_MAX else text.lstrip()[:READ_CHARACTERS_MAX]
