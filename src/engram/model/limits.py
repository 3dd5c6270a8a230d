"""The limits on input. All transports share them, so that all refuse the same input.

A store may take less than the largest texts and metadata: `content_bytes_max` and `metadata_bytes_max` are settings.
"""

from __future__ import annotations

from typing import Final

DIMENSION_MIN: Final = 1
DIMENSION_MAX: Final = 4096
DIMENSION_DEFAULT: Final = 768
ID_BYTES_MAX: Final = 1024
# One observation of the largest size in everything fits a batch, and its hit a message.
CONTENT_BYTES_MAX: Final = 24 * 1024 * 1024
CONTENT_BYTES_DEFAULT: Final = 16 * 1024 * 1024
METADATA_BYTES_MAX: Final = 4 * 1024 * 1024
METADATA_BYTES_DEFAULT: Final = 1024 * 1024
METADATA_DEPTH_MAX: Final = 32
METADATA_KEYS_MAX: Final = 1024
TAGS_MAX: Final = 64
TAG_BYTES_MAX: Final = 16 * 1024
BATCH_COUNT_MAX: Final = 10_000
BATCH_BYTES_MAX: Final = 32 * 1024 * 1024
MESSAGE_BYTES_MAX: Final = BATCH_BYTES_MAX + 8 * 1024 * 1024
# A message of a stream that is larger arrives in parts, for which its receiver has made room.
PART_BYTES_MAX: Final = 1024 * 1024
# Reading the digits of so many numbers takes the event loop a good part of a second.
JSON_BYTES_MAX: Final = 4 * 1024 * 1024
RESULTS_MAX: Final = 10_000
# What the protocol has room for. A recall of more than `RESULTS_MAX` is answered in batches.
STREAM_RESULTS_MAX: Final = 2**31 - 1
CUES_MAX: Final = 10_000
# So many hits are held while an answer to many cues is made of them, whose size in bytes is not known before.
ANSWER_HITS_MAX: Final = 100_000
RECALL_BATCH_MAX: Final = 100
EF_MAX: Final = 10_000
FOLLOWERS_MAX: Final = 10_000
FILTER_TERMS_MAX: Final = 64
FILTER_NODES_MAX: Final = 1024
# Deeper than anybody writes, and half of what readers of protobuf nest at most: a group and its parts are two messages.
FILTER_DEPTH_MAX: Final = 32
FILTER_VALUES_MAX: Final = 10_000
# Whatever metadata have, a filter can ask for.
FILTER_BYTES_MAX: Final = METADATA_BYTES_MAX
SESSION_ID_BYTES_MAX: Final = 64
ALIASES_MAX: Final = 1024
