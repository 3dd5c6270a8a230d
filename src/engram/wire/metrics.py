"""Conversion of messages to and from the values of metrics."""

from __future__ import annotations

from collections.abc import Iterable

from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.wire import engram_pb2 as pb


def encode_metrics(samples: Iterable[MetricSample]) -> list[pb.MetricFamily]:
    """Return the messages for `samples`, one for each metric."""
    families: dict[str, pb.MetricFamily] = {}
    for sample in samples:
        family = families.get(sample.name)
        if family is None:
            family = families[sample.name] = pb.MetricFamily(name=sample.name, labels=sample.labels)
        family.samples.add(label_values=sample.labels.values(), value=sample.value)
    return list(families.values())


def decode_metrics(messages: Iterable[pb.MetricFamily]) -> MetricSamples:
    """Return the samples in `messages`. Whole values are integers."""
    return MetricSamples(
        MetricSample(
            family.name,
            int(sample.value) if sample.value.is_integer() else sample.value,
            dict(zip(family.labels, sample.label_values, strict=False)),
        )
        for family in messages
        for sample in family.samples
    )
