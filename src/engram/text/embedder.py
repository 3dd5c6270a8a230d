"""What an embedder is, and the one check every embedder makes of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import CONTENT_BYTES_MAX


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one dimension; the same text gives the same vector, today and after a restart.

    A space records the name of its embedder, not the embedder itself, so whatever is registered under a name must
    keep producing comparable vectors for as long as there are spaces that name it.
    """

    @property
    def name(self) -> str:
        """The name the embedder is registered under and spaces record."""
        ...

    @property
    def dim(self) -> int:
        """Length of the vectors it makes."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 of shape ``(len(texts), dim)``: rows of unit length, never a zero vector.

        Safe to call from several threads at once.

        Raises
        ------
        InvalidInput
            A text is not a string, too long, or holds nothing but white space; see `check_texts`.
        """
        ...


def check_texts(texts: Sequence[str]) -> Sequence[str]:
    """Return `texts` if every one of them says something, and not too much.

    White space has no direction to embed, and a made-up vector for it would turn up in recalls; so it is refused.

    Raises
    ------
    InvalidInput
        Code ``invalid_text`` if an element is not a string, ``content_size`` if it is too long to be stored,
        ``empty_text`` if it is empty or all white space; the field names its position.
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
        # A character is at least a byte, so this refuses nothing that the check of observations would accept.
        if len(text) > CONTENT_BYTES_MAX:
            raise InvalidInput(
                f"text {row} has {len(text)} characters; allowed are {CONTENT_BYTES_MAX} bytes",
                code="content_size",
                field=f"texts[{row}]",
                limit=f"{CONTENT_BYTES_MAX} bytes",
                value=len(text),
            )
        if not text or text.isspace():
            raise InvalidInput(
                f"text {row} is empty, so it has no direction to embed; give it words or a vector of your own",
                code="empty_text",
                field=f"texts[{row}]",
                limit="at least one visible character",
                value=repr(text[:20]),
            )
    return texts
