"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: nothing to do, slower or riskier than need be, or a server would fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    check
        Name of what was checked.
    severity
        How bad it is.
    found
        What was found.
    advice
        What to change; empty if there is nothing.
    """

    check: str
    severity: Severity
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check, Severity.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return a finding that costs speed or safety."""
    return Finding(check, Severity.WARNING, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """Return a finding with which a server does not start, or fails later."""
    return Finding(check, Severity.PROBLEM, found, advice)
