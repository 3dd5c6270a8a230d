"""The dashboard is compiled as a constant of the types that Grafana itself is built with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.monitoring import DASHBOARD, DEPLOYMENTS

FOLDER = DEPLOYMENTS / "grafana" / "schema"
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(
    not ((FOLDER / "node_modules").is_dir() and (BIN / "node").exists()),
    reason="the types of Grafana are not installed: make extras",
)


def errors(folder: Path, dashboards: dict[str, Any]) -> dict[str, list[str]]:
    """What the compiler says of dashboards, by their names."""
    for name in ("dashboard.ts", "tsconfig.json"):
        shutil.copy(FOLDER / name, folder)
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    for name, dashboard in dashboards.items():
        text = json.dumps(dashboard)
        code = (
            f'import type {{ EngramDashboard }} from "./dashboard.ts";\nexport const made: EngramDashboard = {text};\n'
        )
        (folder / f"{name}.ts").write_text(code, encoding="utf-8")
    compiler = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [BIN / "node", compiler, "--project", folder, "--pretty", "false"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    found: dict[str, list[str]] = {}
    for name, error in re.findall(r"^(\w+)\.ts\(\d+,\d+\): error (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(name, []).append(error)
    assert bool(found) is bool(done.returncode), done.stdout
    return found


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panel(made: Any, kind: str) -> Any:
    return next(panel for panel in made["panels"] if panel["type"] == kind)


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "unknown_key": (lambda made: made.update(panles=[]), "panles"),
    "wrong_type": (lambda made: made.update(schemaVersion="41"), "number"),
    "unknown_enum": (lambda made: made.update(graphTooltip=7), "DashboardCursorSync"),
    "unknown_panel": (lambda made: made["panels"][0].update(type="graph"), "graph"),
    "unknown_option": (lambda made: panel(made, "timeseries")["options"].update(legends={}), "legends"),
    "wrong_option": (lambda made: panel(made, "heatmap")["options"].update(calculate="no"), "string"),
    "wrong_legend": (lambda made: panel(made, "timeseries")["options"]["legend"].update(placement="left"), "left"),
    "wrong_field": (
        lambda made: panel(made, "timeseries")["fieldConfig"]["defaults"]["custom"].update(fillOpacity="8"),
        "string",
    ),
    "wrong_query": (lambda made: made["panels"][0]["targets"][0].update(format="lines"), "lines"),
    "no_expression": (lambda made: made["panels"][0]["targets"][0].pop("expr"), "expr"),
    "wrong_variable": (lambda made: made["templating"]["list"][0].update(type="datasorce"), "datasorce"),
}


def test_the_dashboard_has_the_types_of_grafana_and_mistakes_are_found(tmp_path: Path) -> None:
    dashboards = {"sound": dashboard()}
    for name, (spoil, _) in WRONG.items():
        dashboards[name] = dashboard()
        spoil(dashboards[name])
    found = errors(tmp_path, dashboards)
    assert "sound" not in found, found["sound"]
    assert set(found) == set(WRONG)
    for name, (_, word) in WRONG.items():
        assert word in " ".join(found[name]), (name, found[name])
