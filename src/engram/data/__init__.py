"""A small set of texts with their embeddings, for demonstrations, examples and tests that need no download."""

from engram.data.sample import Rows, Sample, sample

__all__ = ["Rows", "Sample", "sample"]
