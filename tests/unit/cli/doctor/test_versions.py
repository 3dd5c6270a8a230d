"""What is said about packages."""

from __future__ import annotations

from importlib import metadata

import pytest

from engram.cli.doctor.finding import Severity
from engram.cli.doctor.versions import check_packages, requirements_of_engram


def test_what_is_installed_here_suffices() -> None:
    requirements = requirements_of_engram()
    assert requirements
    finding = check_packages(requirements)
    assert finding.severity is Severity.OK, finding
    assert f"numpy {metadata.version('numpy')}" in finding.found
    assert f"uvicorn {metadata.version('uvicorn')}" in finding.found
    assert "pyarrow" not in finding.found, "a server does not need it"


@pytest.mark.parametrize(
    ("requirement", "severity"),
    [
        ("numpy>=9999", Severity.PROBLEM),
        ("numpy >= 1.26", Severity.OK),
        ('numpy>=9999; extra == "bench"', Severity.OK),
        ('numpy>=9999 ; extra == "server"', Severity.PROBLEM),
        ("no-such-package>=1", Severity.WARNING),
        ('engram-stream[client]; extra == "server"', Severity.OK),
        ("numpy", Severity.OK),
    ],
)
def test_a_requirement_is_compared_with_what_is_there(requirement: str, severity: Severity) -> None:
    finding = check_packages([requirement])
    assert finding.severity is severity, finding
    assert bool(finding.advice) is (severity is not Severity.OK)


@pytest.mark.parametrize(
    ("installed", "floor", "severity"),
    [("1.10", "1.9", Severity.OK), ("1.0", "1", Severity.OK), ("2.0rc1", "2.0", Severity.OK), ("1.9.9", "1.10", "old")],
)
def test_versions_are_compared_by_their_numbers(
    monkeypatch: pytest.MonkeyPatch, installed: str, floor: str, severity: str
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: installed)
    expected = Severity.PROBLEM if severity == "old" else Severity.OK
    assert check_packages([f"something>={floor}"]).severity is expected


def test_a_folder_that_is_not_installed_is_said() -> None:
    finding = check_packages(None)
    assert finding.severity is Severity.WARNING
    assert "engram-stream[server]" in finding.advice
