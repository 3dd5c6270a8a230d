"""Requests in JSON that have one vector: native code reads the vector, and a reader of JSON what is left.

Whatever is not as most requests are is read as a whole, by the reader that decides what is permitted and says what is
wrong. So this only makes requests quicker, and never others.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import InvalidInput
from engram.model.limits import JSON_BYTES_MAX
from engram.model.operations.operation import Request
from engram.wire.forms.observations import Written, read_observations
from engram.wire.forms.requests import Arrays, RequestReader

_NAME: Final = b'"vector"'


def read_request(reader: RequestReader, text: bytes, space: str, arrays: Arrays | None = None) -> Request[Any]:
    """Return the request in a JSON object; arguments and errors are those of `RequestReader.read`."""
    cut = _cut(text) if arrays is None and reader.takes_vector else None
    if cut is not None:
        try:
            return reader.read(cut[0], space, vector=cut[1][0])
        except InvalidInput:
            pass
    return reader.read(text, space, arrays)


def read_observed(text: bytes) -> Written:
    """Return the observations in a JSON object, as `read_observations` does, which raises the errors."""
    cut = _cut(text)
    if cut is not None:
        try:
            return read_observations(*cut)
        except InvalidInput:
            pass
    return read_observations(text)


def _cut(text: bytes) -> tuple[bytes, NDArray[np.float32]] | None:
    """Return a JSON object with null in place of its vector, and the vector; None if it is not to be cut out."""
    if _NAME not in text or len(text) > JSON_BYTES_MAX:
        return None
    cut = _core.cut_vectors([text])
    # The native code makes a list of the objects.
    return None if cut is None else (cut[0][1:-1], cut[1])
