"""The hits in an answer as a client receives them, as columns: each attribute is decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from engram.model.hit import Hit, received_hit
from engram.model.values.expiry import NEVER_US
from engram.model.values.metadata import read_metadata
from engram.wire.forms.hits import INDEXED, NO_CONTENT, NO_VECTOR, RECENT, UNCHANGED_SHARES
from engram.wire.forms.strict_json import refuse

_read_texts: Final = msgspec.json.Decoder(list[str]).decode
_read_raws: Final = msgspec.json.Decoder(list[Raw]).decode
_read_tags: Final = msgspec.json.Decoder(list[list[str] | None]).decode
_NO_COLUMN: Final = Raw(b"[]")
# Every frame of hits has these; `strengths`, `vectors` and `expires_at` come where they apply.
_ARRAYS: Final = (
    *("scores", "confidences", "generations", "timestamps"),
    *(spec.plural for spec in UNCHANGED_SHARES),
    *("ages_s", "flags"),
)


class HitsForm(Struct, kw_only=True):
    """The header of a frame with hits. Only the ids are decoded at once."""

    ids: list[str]
    contents: Raw = _NO_COLUMN
    metadata: Raw = _NO_COLUMN
    tags: Raw = _NO_COLUMN
    generation: int = 0
    incomplete: bool = False
    more: bool = False
    cursor: str = ""
    incomplete_cues: list[int] = msgspec.field(default_factory=list)
    due_time: str = ""


_read_form: Final = msgspec.json.Decoder(HitsForm).decode


def read_hits(text: bytes | memoryview, arrays: Mapping[str, NDArray[Any]]) -> tuple[HitsForm, list[Hit]]:
    """Return the header of a frame with hits, and the hits.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the columns are not of one length.
    msgspec.ValidationError
        If the header is none of hits.
    """
    form = _read_form(text)
    count = len(form.ids)
    for name in _ARRAYS:
        if name not in arrays or arrays[name].shape != (count,):
            refuse(f"the array {name!r} is not that of {count} hits", name, count, "another shape")
    source = _ReceivedColumns(form, arrays)
    return form, [received_hit(source, row) for row in range(count)]


class _ReceivedColumns:
    """The source of the hits of one answer; each method returns one attribute of a row."""

    __slots__ = ("_arrays", "_contents", "_form", "_metadata", "_tags")

    def __init__(self, form: HitsForm, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._form = form
        self._arrays = arrays
        self._contents: list[str] | None = None
        self._metadata: list[Raw] | None = None
        self._tags: list[list[str] | None] | None = None

    def id(self, row: int) -> str:
        return self._form.ids[row]

    def score(self, row: int) -> float:
        return float(self._arrays["scores"][row])

    def confidence(self, row: int) -> float:
        return float(self._arrays["confidences"][row])

    def generation(self, row: int) -> int:
        return int(self._arrays["generations"][row])

    def content(self, row: int) -> str:
        if self._contents is None:
            self._contents = _read_texts(self._form.contents)
        return self._contents[row]

    def has_content(self, row: int) -> bool:
        return not self._arrays["flags"][row] & NO_CONTENT

    def metadata(self, row: int) -> dict[str, Any]:
        if self._metadata is None:
            self._metadata = _read_raws(self._form.metadata)
        text = str(self._metadata[row], "utf-8")
        return {} if text == "null" else read_metadata(text) or {}

    def tags(self, row: int) -> list[str]:
        if self._tags is None:
            self._tags = _read_tags(self._form.tags)
        return list(self._tags[row] or ())

    def time_us(self, row: int) -> int:
        return int(self._arrays["timestamps"][row])

    def indexed(self, row: int) -> bool:
        return bool(self._arrays["flags"][row] & INDEXED)

    def recent(self, row: int) -> bool:
        return bool(self._arrays["flags"][row] & RECENT)

    def strength(self, row: int) -> float | None:
        strengths = self._arrays.get("strengths")
        return None if strengths is None else float(strengths[row])

    def expires_us(self, row: int) -> int | None:
        expiries = self._arrays.get("expires_at")
        return None if expiries is None or expiries[row] == NEVER_US else int(expiries[row])

    def vector(self, row: int) -> NDArray[np.float32] | None:
        vectors = self._arrays.get("vectors")
        return None if vectors is None or self._arrays["flags"][row] & NO_VECTOR else vectors[row]

    def recalled_us(self, row: int) -> int:
        return self.time_us(row) + round(float(self._arrays["ages_s"][row]) * 1e6)


def _reader(array: str) -> Callable[[_ReceivedColumns, int], float]:
    def read(source: _ReceivedColumns, row: int) -> float:
        return float(source._arrays[array][row])

    return read


for _spec in UNCHANGED_SHARES:
    setattr(_ReceivedColumns, _spec.singular, _reader(_spec.plural))
