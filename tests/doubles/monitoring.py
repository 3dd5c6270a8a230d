"""What the files in deployments/ say: alerts, expressions, and the metrics that they use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.doubles.places import ROOT

DEPLOYMENTS: Final = ROOT / "deployments"
RULES: Final = DEPLOYMENTS / "prometheus" / "alerts" / "streaming.yml"
RULE_TESTS: Final = DEPLOYMENTS / "prometheus" / "tests" / "streaming_test.yml"
DASHBOARD: Final = DEPLOYMENTS / "grafana" / "dashboards" / "streaming_dashboard.json"
CATALOGUE: Final = ROOT / "docs" / "operations" / "streaming-monitoring.md"
PREFIX: Final = "engram_streaming_"
# What Grafana and Prometheus add, and what the parts of a histogram have.
ADDED_LABELS: Final = {"job", "instance", "le"}
_SELECTOR: Final = re.compile(r"(?<![\w:])(engram_streaming_\w+|process_\w+|up)(?:\{([^}]*)\})?")


def alerts() -> list[str]:
    """The names of the alerts."""
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def dashboard_expressions() -> list[str]:
    """The expressions of the dashboard, with its variables filled in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    for variable, value in (("$__rate_interval", "1m"), ("$instance", ".*"), ("$memory_space", ".*")):
        found = [expression.replace(variable, value) for expression in found]
    return found


def recorded() -> set[str]:
    """The names of the recording rules."""
    return set(re.findall(r"^ +- record: (\S+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE))


def selectors(text: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that expressions select, without those of recording rules, and the labels that they select by."""
    for name, matchers in _SELECTOR.findall(re.sub(r"(?<![\w:])\w+:\w+:\w+", "", text)):
        yield name, set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", matchers))


def catalogue() -> dict[str, set[str]]:
    """The labels of each metric in the catalogue of the document, without the prefix of the name."""
    text = CATALOGUE.read_text(encoding="utf-8").partition("## Catalogue")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ([^|]*) \|", text, re.MULTILINE)
    return {
        name: set(re.findall(r"`(\w+)`", labels)) for names, labels in rows for name in re.findall(r"`(\w+)`", names)
    }


def unknown_uses(text: str, known: dict[str, set[str]]) -> list[str]:
    """What an expression selects and the catalogue does not have."""
    wrong = []
    for name, labels in selectors(text):
        if not name.startswith(PREFIX):
            continue
        metric = name.removeprefix(PREFIX)
        if metric not in known:
            metric = re.sub(r"_(bucket|count|sum)$", "", metric)
        if metric not in known:
            wrong.append(name)
        elif labels - known[metric] - ADDED_LABELS:
            wrong.append(f"{name} by {sorted(labels - known[metric] - ADDED_LABELS)}")
    return wrong


def text_of_rules(path: Path = RULES) -> str:
    """The rules without comments and without what is written for people."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not re.match(r" *(#|record:|- record:|summary:|description:)", line))
