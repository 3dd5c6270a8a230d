"""A real Prometheus that scrapes one server and has the alerts of deployments/, with a sixtieth of their patience."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.monitoring import RULES
from tests.doubles.places import ROOT
from tests.integration.server_process import TIMEOUT_S, steady_port

PROMETHEUS = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="Prometheus is not installed; `make extras` installs it"
)
_CONFIG = """\
global: {{ scrape_interval: 2s, evaluation_interval: 1s }}
rule_files: [streaming.yml]
scrape_configs:
  - job_name: engram
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, port: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        # Whatever the environment says, it is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with self._opener.open(f"{self._url}/-/ready", timeout=TIMEOUT_S) as answer:
                ready: bool = answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False
        return ready

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression returns now."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """All rules and their states."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {rule["name"] for rule in self.rules() if rule.get("state") == "firing"}

    def wait_until_firing(self, names: set[str]) -> None:
        """Wait until all of these alerts fire."""
        deadline = time.monotonic() + TIMEOUT_S
        while left := names - self.firing():
            assert time.monotonic() < deadline, f"{left} of {self.rules()}"

    def wait_until_silent(self, name: str) -> None:
        """Wait until an alert does not fire any more."""
        deadline = time.monotonic() + TIMEOUT_S
        while name in self.firing():
            assert time.monotonic() < deadline, name

    def wait_until(self, expression: str) -> None:
        """Wait until an expression returns something."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.query(expression):
            assert time.monotonic() < deadline, expression

    def _get(self, path: str, **arguments: str) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with self._opener.open(url, timeout=TIMEOUT_S) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def running_prometheus(folder: Path, server_port: int) -> Iterator[Prometheus]:
    """Run Prometheus until the end of the context."""
    assert PROMETHEUS is not None
    folder.mkdir()
    fast = runpy.run_path(str(ROOT / "scripts" / "make_fast_rules.py"))["fast"]
    (folder / "streaming.yml").write_text(fast(RULES.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "prometheus.yml").write_text(_CONFIG.format(port=server_port), encoding="utf-8")
    port = steady_port()
    command = [
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        asked = Prometheus(port)
        while not asked.is_ready():
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        yield asked
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
