"""How large the texts and the metadata of one observation may be, by the settings of a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engram.model.limits import CONTENT_BYTES_DEFAULT, METADATA_BYTES_DEFAULT
from engram.model.observations import ObservationBatch
from engram.model.values.sequences import check_texts

# A character takes at most four bytes of UTF-8.
_CHARACTER_BYTES_MAX: Final = 4


class TextSizes(NamedTuple):
    """The largest text and the largest metadata of one observation, in bytes of UTF-8; metadata are counted as JSON."""

    content_bytes_max: int = CONTENT_BYTES_DEFAULT
    metadata_bytes_max: int = METADATA_BYTES_DEFAULT

    def check(self, batch: ObservationBatch) -> None:
        """Check a batch, which keeps the limits that no setting can exceed, and has at least one observation.

        Raises
        ------
        InvalidInput
            With code ``content_size`` or ``metadata_size``, naming the row, the limit and the size.
        """
        _check("content", batch.contents, self.content_bytes_max)
        if batch.metadata is not None:
            _check("metadata", batch.metadata, self.metadata_bytes_max)


def _check(field: str, texts: Sequence[str], bytes_max: int) -> None:
    # Most texts are so short that they need not be measured.
    if max(map(len, texts)) * _CHARACTER_BYTES_MAX > bytes_max:
        check_texts(field, texts, 0, bytes_max)
