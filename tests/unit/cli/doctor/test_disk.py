"""What is said about the disk."""

from __future__ import annotations

import errno

import pytest

from engram.cli.doctor.disk import check_file_system, check_free_space, check_sync
from engram.cli.doctor.finding import Finding, Severity

OK, WARNING, PROBLEM = Severity.OK, Severity.WARNING, Severity.PROBLEM
MIB = 1 << 20


@pytest.mark.parametrize(
    ("finding", "severity", "advice"),
    [
        (check_free_space("x", 400 * MIB, 100 * MIB, None), OK, ""),
        (check_free_space("x", 400 * MIB, 100 * MIB, 1000), OK, ""),
        (check_free_space("x", 399 * MIB, 100 * MIB, None), WARNING, "have 400.0 MiB free"),
        (check_free_space("x", 100 * MIB, 100 * MIB, None), PROBLEM, "all writes would be refused"),
        (check_free_space("x", 400 * MIB, 100 * MIB, 3), PROBLEM, "remove files"),
        (check_file_system("ext4"), OK, ""),
        (check_file_system(""), OK, ""),
        (check_file_system("tmpfs"), WARNING, "use a disk"),
        (check_file_system("nfs4"), WARNING, "use a local disk"),
        (check_sync(0.002), OK, ""),
        (check_sync(0.5), WARNING, "faster disk"),
        (check_sync(PermissionError(errno.EACCES, "no", "x")), PROBLEM, "the right to read and write"),
        (check_sync(OSError(errno.ENOSPC, "full", "x")), PROBLEM, "free some space"),
        (check_sync(OSError(errno.EROFS, "read-only", "x")), PROBLEM, "mount"),
        (check_sync(NotADirectoryError(errno.ENOTDIR, "a file", "x")), PROBLEM, "choose another directory"),
        (check_sync(OSError("odd")), PROBLEM, "the right to read and write"),
    ],
)
def test_a_check_says_what_to_change(finding: Finding, severity: Severity, advice: str) -> None:
    assert finding.severity is severity, finding
    assert finding.found
    assert advice in finding.advice
    assert bool(finding.advice) is (severity is not OK)
