"""Metrics on the wire."""

from __future__ import annotations

from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.wire import engram_pb2 as pb
from engram.wire.metrics import decode_metrics, encode_metrics

SAMPLES = MetricSamples(
    [
        table.RECALLS.sample(3),
        table.GENERATION.sample(2**53, "notes", "durable"),
        table.GENERATION.sample(7, "notes", "indexed"),
        table.WORKER_BUSY.sample(1.5, "0"),
    ]
)


def test_samples_are_the_same_after_a_round_trip() -> None:
    messages = [pb.MetricFamily.FromString(message.SerializeToString()) for message in encode_metrics(SAMPLES)]
    decoded = decode_metrics(messages)
    assert decoded == SAMPLES
    assert [type(sample.value) for sample in decoded] == [int, int, int, float]


def test_the_name_and_the_labels_of_a_metric_are_sent_once() -> None:
    messages = encode_metrics(SAMPLES)
    assert [(message.name, list(message.labels), len(message.samples)) for message in messages] == [
        (table.RECALLS.name, [], 1),
        (table.GENERATION.name, ["memory_space", "watermark"], 2),
        (table.WORKER_BUSY.name, ["worker"], 1),
    ]


def test_a_metric_that_this_version_does_not_know_is_kept() -> None:
    message = pb.MetricFamily(name="engram_streaming_new_total", labels=["shard"])
    message.samples.add(label_values=["a"], value=4)
    assert decode_metrics([message]).value("engram_streaming_new_total", shard="a") == 4
