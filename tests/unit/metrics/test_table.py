"""The table of metrics: its names, and that it is the only place where a metric is described."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from engram.metrics import table
from engram.metrics.family import MetricFamily, MetricGroup, MetricKind
from engram.metrics.table import TABLE
from tests.doubles.places import ROOT

SOURCE = ROOT / "src" / "engram"
SCRIPT = ROOT / "scripts" / "make_metrics_page.py"
PAGE = ROOT / "docs" / "metrics.md"


# Dashboards and alerts of others ask for these names and labels; they are part of the interface.
PROMISED = {
    "observations_total": {"memory_space", "priority"},
    "observations_rejected_total": {"memory_space", "reason"},
    "queue_depth": {"priority"},
    "queue_bytes": {"priority"},
    "worker_utilization": {"worker"},
    "work_stolen_total": {"worker"},
    "batches_processed_total": {"worker"},
    "worker_restarts_total": {"worker"},
    "backpressure_activations_total": {"level"},
    "backpressure_state": {"memory_space"},
    "active_sessions": set(),
    "observation_latency_seconds": {"stage"},
    "recall_latency_seconds": set(),
    "first_result_seconds": set(),
    "batch_size": set(),
    "queue_wait_seconds": set(),
    "commit_seconds": set(),
    "log_bytes": {"memory_space"},
    "generation": {"memory_space", "watermark"},
    "index_lag_observations": {"memory_space"},
    "snapshot_age_seconds": {"memory_space"},
    "standing_cues": {"memory_space"},
    "recall_at_k_ratio": {"memory_space", "bound"},
    "build_info": {"version", "python"},
}


def test_the_promised_metrics_are_there_with_their_labels() -> None:
    labels = {family.name.removeprefix("engram_streaming_"): set(family.labels) for family in TABLE}
    assert {name: labels.get(name) for name in PROMISED} == PROMISED


@pytest.mark.parametrize("family", TABLE, ids=lambda family: family.name)
def test_names_follow_the_conventions_of_prometheus(family: MetricFamily) -> None:
    if family is table.BUILD_INFO:
        return  # Its labels are the information; Prometheus has this name for that.
    assert re.fullmatch(r"engram_streaming(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") == (family.kind is MetricKind.COUNTER)
    base = family.name.removesuffix("_total")
    for unit in ("bytes", "seconds", "ratio"):
        assert base.endswith(f"_{unit}") == (family.unit == unit)
    # Names of other units, and names that Prometheus or its summaries and histograms use themselves.
    assert not re.search(r"_(ms|us|milliseconds|minutes|percent|kib|mib|count|sum|bucket|info|created)$", base)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in family.labels)
    assert {"job", "instance", "le", "quantile"}.isdisjoint(family.labels)


def test_every_metric_says_what_it_means() -> None:
    for family in TABLE:
        assert family.unit, family.name
        assert re.fullmatch(r"[A-Z0-9][^|\n]*\.", family.meaning), family.name


def test_no_name_stands_twice() -> None:
    assert [name for name, count in Counter(family.name for family in TABLE).items() if count > 1] == []


def test_the_metrics_of_a_group_have_the_same_first_label() -> None:
    firsts = {group: {family.labels[:1] for family in TABLE if family.group is group} for group in MetricGroup}
    assert firsts == {
        MetricGroup.TRAFFIC: {()},
        MetricGroup.SERVER: {()},
        MetricGroup.PRESSURE: {("level",)},
        MetricGroup.QUEUE: {("priority",)},
        MetricGroup.WORKERS: {("worker",)},
        MetricGroup.HEALTH: {("memory_space",)},
        MetricGroup.SPACES: {("memory_space",)},
        MetricGroup.DISTRIBUTIONS: {(), ("stage",)},
        MetricGroup.BUILD: {("version",)},
    }


def test_what_shows_no_title_is_about_a_space_or_no_single_number() -> None:
    """There is room for everything else in the tables of the command line."""
    untitled = {family.group for family in TABLE if not family.title}
    assert untitled == {MetricGroup.SPACES, MetricGroup.HEALTH, MetricGroup.DISTRIBUTIONS, MetricGroup.BUILD}
    assert all(family.title for family in TABLE if family.kind is MetricKind.COUNTER)


def test_only_histograms_have_bounds_and_these_rise() -> None:
    for family in TABLE:
        assert bool(family.bounds) == (family.kind is MetricKind.HISTOGRAM), family.name
        assert list(family.bounds) == sorted(set(family.bounds)), family.name


def makers(root: Path) -> set[str]:
    """The files below `root` that make families."""
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("MetricFamily"):
                found.add(str(path.relative_to(root)))
    return found - {"wire/metrics.py"}  # A message of the same name.


def test_families_are_made_in_the_table_only(tmp_path: Path) -> None:
    assert makers(SOURCE) == {"metrics/table.py"}
    (tmp_path / "hidden.py").write_text("from engram.metrics import family\nx = family.MetricFamily()\n", "utf-8")
    assert makers(tmp_path) == {"hidden.py"}


def added(root: Path) -> set[str]:
    """The names of the entries that something below `root` adds to `Counters`."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    return set(re.findall(r"counters\.add\(table\.([A-Z_]+)", sources))


def test_all_traffic_is_counted_somewhere(tmp_path: Path) -> None:
    names = {name for name, entry in vars(table).items() if isinstance(entry, MetricFamily)}
    assert added(SOURCE) == {name for name in names if getattr(table, name).group is MetricGroup.TRAFFIC}
    (tmp_path / "one.py").write_text("engine.counters.add(table.RECALLS, 2)\n", "utf-8")
    assert added(tmp_path) == {"RECALLS"}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_metrics_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == script().page(text), "run: .venv/bin/python scripts/make_metrics_page.py"
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE))
    assert rows == {family.name: family.meaning for family in TABLE}


def test_a_page_that_is_behind_is_brought_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    behind = text.replace("| `engram_streaming_recalls_total` | counter |", "| `engram_streaming_recalls` | gauge |")
    assert behind != text
    assert script().page(behind) == text
