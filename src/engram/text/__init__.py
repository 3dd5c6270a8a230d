"""Texts to vectors: the embedders a space can name, and the registry that finds them.

``lexical`` works everywhere, offline, at any dimension. ``minilm`` understands meaning and needs the extra
``engram-stream[minilm]``.
"""

from engram.text.embedder import Embedder
from engram.text.registry import embedder_names, get_embedder, register_embedder

__all__ = ["Embedder", "embedder_names", "get_embedder", "register_embedder"]
