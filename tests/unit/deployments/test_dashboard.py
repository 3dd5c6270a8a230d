"""The dashboard of Grafana is what its program makes, and its expressions use metrics that there are."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.doubles.monitoring import (
    CATALOGUE,
    DASHBOARD,
    DEPLOYMENTS,
    catalogue,
    dashboard_expressions,
    panels,
    recorded,
    unknown_uses,
)
from tests.doubles.places import ROOT

PROMTOOL = shutil.which("promtool")


def test_the_dashboard_is_what_its_program_makes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    made = runpy.run_path(str(ROOT / "scripts" / "make_dashboard.py"))
    assert DASHBOARD.read_text(encoding="utf-8") == made["text"]()


def test_panels_have_ids_places_and_descriptions_of_their_own() -> None:
    found = panels()
    assert 10 <= len(found) <= 12
    assert len({panel["id"] for panel in found}) == len(found)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in found)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert all(panel["title"] and panel["description"] for panel in found)
    assert sum(panel["type"] == "heatmap" for panel in found) >= 2


def test_every_panel_and_query_asks_the_chosen_data_source() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names == ["datasource", "instance", "memory_space"]
    for panel in panels():
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "$datasource"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
    assert set(re.findall(r"\$(\w+)", DASHBOARD.read_text(encoding="utf-8"))) == {*names, "__rate_interval", "__all"}


def test_the_expressions_use_metrics_of_the_catalogue_and_recording_rules() -> None:
    expressions = dashboard_expressions()
    assert [wrong for expression in expressions for wrong in unknown_uses(expression, catalogue())] == []
    rules = {name for expression in expressions for name in re.findall(r"\w+:\w+:\w+", expression)}
    assert rules
    assert rules <= recorded()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; `make extras` installs it")
def test_prometheus_can_parse_every_expression(tmp_path: Path) -> None:
    assert PROMTOOL is not None

    def check(expressions: list[str]) -> int:
        rules = [{"record": f"expression:{number}", "expr": each} for number, each in enumerate(expressions)]
        file = tmp_path / "rules.yml"
        # JSON is YAML, too.
        file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
        command = [PROMTOOL, "check", "rules", str(file)]
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode

    assert check(dashboard_expressions()) == 0
    assert check(["sum by ("]) != 0


def test_every_panel_is_explained() -> None:
    page = CATALOGUE.read_text(encoding="utf-8").partition("## The dashboard")[2]
    named = [re.sub(r" \(.*", "", name) for name in re.findall(r"^\| ([A-Z9][^|]*?) \|", page, re.MULTILINE)]
    assert named == [panel["title"] for panel in panels()]


def test_what_grafana_is_given_is_where_the_containers_look() -> None:
    compose = (DEPLOYMENTS / "docker-compose.yml").read_text(encoding="utf-8")
    mounted = dict(re.findall(r"- \./(\S+?):(\S+?):ro", compose))
    assert all((DEPLOYMENTS / folder).is_dir() for folder in mounted)
    assert mounted["grafana/dashboards"] in (
        DEPLOYMENTS / "grafana" / "provisioning" / "dashboards" / "engram.yml"
    ).read_text(encoding="utf-8")
    assert "--config.file=/etc/prometheus/prometheus.yml" in compose
    assert mounted["prometheus"] == "/etc/prometheus"
