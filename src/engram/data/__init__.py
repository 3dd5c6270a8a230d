"""A small set of texts with their embeddings, for demonstrations, examples and tests that need no download."""

from engram.data.sample import Sample, SampleRows, sample

__all__ = ["Sample", "SampleRows", "sample"]
