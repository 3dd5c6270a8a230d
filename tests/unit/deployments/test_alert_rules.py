"""The rules of Prometheus: each alert fires and is silent when it should, and uses metrics that there are."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from engram.metrics.table import TABLE
from tests.doubles.monitoring import (
    CATALOGUE,
    DEPLOYMENTS,
    PREFIX,
    RULE_TESTS,
    RULES,
    alerts,
    catalogue,
    recorded,
    text_of_rules,
    unknown_uses,
)
from tests.doubles.places import ROOT

fast = runpy.run_path(str(ROOT / "scripts" / "make_fast_rules.py"))["fast"]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; `make extras` installs it")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


@needs_promtool
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    done = promtool("check", "config", DEPLOYMENTS / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts()) + len(recorded())} rules found" in done.stdout


@needs_promtool
def test_every_alert_fires_and_is_silent_when_it_should() -> None:
    done = promtool("test", "rules", RULE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("expr", ["vector(0) > 1", "vector(1)"], ids=["never", "always"])
def test_the_cases_notice_alerts_that_never_or_always_fire(expr: str, tmp_path: Path) -> None:
    rules = RULES.read_text(encoding="utf-8")
    changed, count = re.subn(r"(- alert: \w+\n +expr: )[\s\S]*?(\n +(?:for|labels):)", rf"\g<1>{expr}\g<2>", rules)
    assert count == len(alerts())
    (tmp_path / "alerts").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "alerts" / RULES.name).write_text(changed, encoding="utf-8")
    shutil.copy(RULE_TESTS, tmp_path / "tests")
    done = promtool("test", "rules", tmp_path / "tests" / RULE_TESTS.name)
    assert done.returncode != 0
    assert set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr)) == set(alerts())


def test_every_alert_has_cases_of_both_kinds() -> None:
    cases = re.findall(r"^  - name: (\w+) (fires|is silent)\b", RULE_TESTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(cases) == {(alert, kind) for alert in alerts() for kind in ("fires", "is silent")}


def test_every_alert_has_a_severity_and_a_runbook() -> None:
    blocks = re.split(r"^ +- alert: ", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    page = CATALOGUE.read_text(encoding="utf-8")
    for block in blocks:
        alert = block.partition("\n")[0]
        assert re.search(r"severity: (page|ticket) }", block), alert
        assert f"runbook: docs/operations/streaming-monitoring.md#{alert.lower()}\n" in f"{block.rstrip()}\n", alert
    assert re.findall(r"^### (\w+)$", page.partition("## Runbook")[2], re.MULTILINE) == alerts()


def test_the_rules_use_metrics_of_the_catalogue() -> None:
    assert unknown_uses(text_of_rules(), catalogue()) == []


def test_a_metric_or_label_that_there_is_not_is_found() -> None:
    known = {"lag": {"space"}, "wait_seconds": set[str]()}
    text = 'a:b:c + engram_streaming_lag{space="x", job="y"} + rate(engram_streaming_wait_seconds_bucket[1m])'
    assert unknown_uses(text, known) == []
    assert unknown_uses('engram_streaming_lag{worker="1"} + engram_streaming_log', known) == [
        "engram_streaming_lag by ['worker']",
        "engram_streaming_log",
    ]


def test_the_catalogue_has_every_metric_with_its_labels() -> None:
    assert catalogue() == {family.name.removeprefix(PREFIX): set(family.labels) for family in TABLE}


def test_every_recording_rule_is_used() -> None:
    used = re.sub(r"- record: \S+", "", RULES.read_text(encoding="utf-8"))
    used += (DEPLOYMENTS / "grafana" / "dashboards" / "streaming_dashboard.json").read_text(encoding="utf-8")
    assert [name for name in recorded() if name not in used] == []


def test_the_fast_variant_has_a_sixtieth_of_every_for() -> None:
    rules = RULES.read_text(encoding="utf-8")
    made = fast(rules)
    assert re.findall(r"for: (\S+)", made) == [
        f"{int(minutes) * 1000}ms" for minutes in re.findall(r"for: (\d+)m\n", rules)
    ]
    assert re.sub(r"for: \S+", "", made) == re.sub(r"for: \S+", "", rules)
    assert fast("  for: 90s") == "  for: 1500ms"


def test_a_for_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="not of the form 5m"):
        fast("    for: 1h30m\n")
