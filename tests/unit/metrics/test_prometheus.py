"""What Prometheus collects: the metrics of the table, in both formats, also beside those of another program."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse_text

import engram
from engram.metrics import table
from engram.metrics.folding import OTHER, SPACES_MAX
from engram.metrics.prometheus import EngramCollector, Exposition
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.metrics.table import TABLE
from tests.doubles.metrics import labels_of_samples, parse_openmetrics


def one_of_each() -> MetricSamples:
    """A sample under every name of the table; all values differ."""
    names = labels_of_samples(TABLE)
    samples = []
    for number, (name, labels) in enumerate(names.items()):
        values = {label: "1.0" if label == "le" else f"v{number}" for label in labels}
        samples.append(MetricSample(name, number, values))
        if "le" in labels:
            samples.append(MetricSample(name, number, {**values, "le": "+Inf"}))
    return MetricSamples(samples)


def flat(families: Any) -> set[tuple[Any, ...]]:
    return {
        (family.type, sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
        if sample.name.startswith("engram_")
    }


def test_every_sample_of_the_table_is_in_both_formats() -> None:
    samples, exposition = one_of_each(), Exposition()
    expected = {(sample.name, tuple(sorted(sample.labels.items())), sample.value) for sample in samples}
    plain, plain_type = exposition.text(samples, "")
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert {found[1:] for found in flat(parse_text(plain.decode()))} == expected
    kinds = {found[1]: found[0] for found in flat(parse_text(plain.decode()))}
    assert kinds == {name: family.kind.value for family in TABLE for name in family.sample_names}
    modern, modern_type = exposition.text(samples, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert modern_type.startswith("application/openmetrics-text")
    assert modern.endswith(b"# EOF\n")


def test_a_real_store_is_read_by_the_strict_parser_of_openmetrics() -> None:
    with engram.MemoryStore(None) as store:
        notes = store.space("notes", dim=16, embedder="lexical")
        notes.observe(ids=["a", "b"], contents=["the pump leaks", "the crew meets at noon"])
        text, _ = Exposition().text(store.metrics(), "application/openmetrics-text")
    found = {sample.name: sample.value for family in parse_openmetrics(text.decode()) for sample in family.samples}
    assert found["engram_streaming_observations_stored_total"] == 2
    assert found["process_cpu_seconds_total"] > 0


@pytest.mark.parametrize("accepted", ["*/*", "text/html", "\x00;;q=", "application/json", "text/plain;version=x"])
def test_whatever_else_is_accepted_gets_the_older_format(accepted: str) -> None:
    text, media_type = Exposition().text([table.RECALLS.sample(1)], accepted)
    assert media_type.startswith("text/plain")
    assert b"engram_streaming_recalls_total 1.0" in text


def test_a_program_registers_the_metrics_of_its_store_beside_its_own() -> None:
    registry = CollectorRegistry()
    Counter("pages", "Pages that were read.", registry=registry).inc(3)
    with engram.MemoryStore(None) as store:
        notes = store.space("notes", dim=16, embedder="lexical")
        registry.register(EngramCollector(store.metrics))
        notes.observe(ids=["a"], contents=["the pump leaks"])
        stored = ("engram_streaming_observations_stored_total", {"memory_space": "notes"})
        assert registry.get_sample_value(*stored) == 1
        notes.observe(ids=["b"], contents=["the crew meets"])
        assert registry.get_sample_value(*stored) == 2
        assert b"pages_total 3.0" in generate_latest(registry)


def test_registering_reads_nothing_and_the_same_names_are_refused_twice() -> None:
    registry = CollectorRegistry()
    reads = []
    registry.register(EngramCollector(lambda: reads.append(1) or [table.RECALLS.sample(1)]))  # type: ignore[func-returns-value]
    assert not reads
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(EngramCollector(lambda: []))


STORED = "engram_streaming_observations_stored_total"


def test_one_store_is_registered_once_and_can_be_registered_again() -> None:
    registry = CollectorRegistry()
    with engram.MemoryStore(None) as store:
        store.space("notes", dim=16)
        collector = EngramCollector(store.metrics)
        registry.register(collector)
        for again in (collector, EngramCollector(store.metrics)):
            with pytest.raises(ValueError, match="Duplicated"):
                registry.register(again)
        registry.unregister(collector)
        assert registry.get_sample_value(STORED, {"memory_space": "notes"}) is None
        registry.register(EngramCollector(store.metrics))
        assert registry.get_sample_value(STORED, {"memory_space": "notes"}) == 0


def test_a_store_that_is_closed_harms_no_scrape() -> None:
    registry = CollectorRegistry()
    Counter("pages", "Pages that were read.", registry=registry).inc(3)
    with engram.MemoryStore(None) as store:
        registry.register(EngramCollector(store.metrics))
        store.space("notes", dim=16, embedder="lexical").observe(ids=["a"], contents=["the pump leaks"])
    for _ in range(2):
        text = generate_latest(registry)
        assert b"pages_total 3.0" in text
        assert f'{STORED}{{memory_space="notes"}} 1.0'.encode() in text


def test_two_stores_in_one_registry_have_a_label_each() -> None:
    registry = CollectorRegistry()
    with engram.MemoryStore(None) as one, engram.MemoryStore(None) as two:
        registry.register(EngramCollector({"one": one.metrics, "two": two.metrics}))
        for store, count in ((one, 1), (two, 2)):
            notes = store.space("notes", dim=16, embedder="lexical")
            notes.observe(ids=["a", "b"][:count], contents=["the pump leaks", "the crew meets"][:count])
        one.close()
        for name, count in (("one", 1), ("two", 2)):
            assert registry.get_sample_value(STORED, {"memory_space": "notes", "store": name}) == count
        text = generate_latest(registry).decode().splitlines()
        samples = [line.rpartition(" ")[0] for line in text if not line.startswith("#")]
        assert len(set(samples)) == len(samples), "Prometheus refuses what occurs twice"


def test_many_threads_may_scrape_at_once() -> None:
    registry = CollectorRegistry()
    with engram.MemoryStore(None) as store, ThreadPoolExecutor(4) as threads:
        registry.register(EngramCollector(store.metrics))
        notes = store.space("notes", dim=16, embedder="lexical")
        scrapes = [threads.submit(generate_latest, registry) for _ in range(20)]
        for number in range(20):
            notes.observe(ids=[f"id-{number}"], contents=["the pump leaks"])
        assert all(b"engram_streaming_" in scrape.result() for scrape in scrapes)
        assert registry.get_sample_value(STORED, {"memory_space": "notes"}) == 20


def test_spaces_beyond_the_limit_are_folded() -> None:
    samples = [table.LOG_BYTES.sample(value, name) for name, value in (("aaa", 1), ("bbb", 2), ("ccc", 4))]

    def names(metrics: list[Metric]) -> set[str]:
        return {sample.labels["memory_space"] for metric in metrics for sample in metric.samples}

    assert names(list(EngramCollector(lambda: samples, 1).collect())) == {"aaa", OTHER}
    assert names(list(parse_text(Exposition(2).text(samples, "")[0].decode()))[:1]) == {"aaa", "bbb", OTHER}


HOSTILE = [
    'quote " and backslash \\ and newline \n and both \\n \\"',
    '"} 1\nengram_streaming_recalls_total 99\n# ',
    "x" * 1024,
    "\u2028 \N{SNOWMAN} \N{GRINNING FACE} \t\r\0",
    "",
]


@pytest.mark.parametrize("accepted", ["", "application/openmetrics-text"])
def test_whatever_a_label_says_it_is_one_value_of_one_label(accepted: str) -> None:
    samples = [table.LOG_BYTES.sample(number, name) for number, name in enumerate(HOSTILE)]
    samples += [table.OBSERVATIONS_REJECTED.sample(1, "notes", name) for name in HOSTILE]
    text = Exposition().text([*samples, table.RECALLS.sample(1)], accepted)[0].decode()
    families = parse_openmetrics(text) if accepted else list(parse_text(text))
    found = [sample for family in families for sample in family.samples if sample.name.startswith("engram_")]
    assert {sample.labels["memory_space"]: sample.value for sample in found if sample.name == table.LOG_BYTES.name} == {
        name: number for number, name in enumerate(HOSTILE)
    }
    assert {sample.labels["reason"] for sample in found if "reason" in sample.labels} == set(HOSTILE)
    assert [sample.value for sample in found if sample.name == table.RECALLS.name] == [1]
    assert len(found) == len(samples) + 1


def test_ten_thousand_spaces_are_not_more_text_than_a_hundred() -> None:
    def told(count: int) -> list[str]:
        names = [f"space-{number}" for number in range(count)]
        samples = (
            sample
            for name in names
            for sample in (
                *(table.OBSERVATIONS.sample(1, name, priority) for priority in ("high", "normal", "low")),
                *(table.OBSERVATIONS_REJECTED.sample(1, name, f"reason-{number}") for number in range(3)),
                table.INDEX_LAG.sample(2, name),
                table.PRESSURE.sample(0.5, name),
            )
        )
        lines = Exposition().text(samples, "")[0].decode().splitlines()
        return [line for line in lines if line.startswith("engram_")]

    many, few = told(10_000), told(SPACES_MAX + 1)
    assert len(many) == len(few) == (SPACES_MAX + 1) * 8
    assert f'engram_streaming_index_lag_observations{{memory_space="other"}} {2.0 * (10_000 - SPACES_MAX)}' in many


def test_without_the_package_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "try:\n    import engram.metrics.prometheus\n"
        "except ImportError as error:\n    print(error.code, error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("missing_extra")
    assert "pip install 'engram-stream[server]'" in printed
