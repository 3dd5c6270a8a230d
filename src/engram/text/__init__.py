"""Embedders: they turn texts into vectors; a space names its embedder, and a registry finds it by that name.

``lexical`` needs no extra, works offline and has any dimension. ``minilm`` embeds meaning and needs the extra
``engram-stream[minilm]``.
"""

from engram.text.embedder import Embedder
from engram.text.registry import embedder_names, get_embedder, register_embedder

__all__ = ["Embedder", "embedder_names", "get_embedder", "register_embedder"]
