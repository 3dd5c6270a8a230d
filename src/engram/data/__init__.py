"""A small set of real texts with real embeddings, for demonstrations, examples and tests that need no download."""

from engram.data.sample import Rows, Sample, sample

__all__ = ["Rows", "Sample", "sample"]
