"""What is said about processors, memory, limits, the allocator and the clock."""

from __future__ import annotations

import pytest

from engram.cli.doctor.finding import Finding, Severity
from engram.cli.doctor.machine import (
    UNLIMITED,
    check_address_space,
    check_allocator,
    check_clock,
    check_file_size,
    check_kernels,
    check_memory,
    check_open_files,
    check_processors,
)

OK, WARNING, PROBLEM = Severity.OK, Severity.WARNING, Severity.PROBLEM
GIB = 1 << 30
WANTED = {"MALLOC_A_": "1", "MALLOC_B_": "2"}


@pytest.mark.parametrize(
    ("finding", "severity", "advice"),
    [
        (check_processors(2, 2, None), OK, ""),
        (check_processors(1, 8, None), WARNING, "two processors or more"),
        (check_processors(8, 8, 1.5), WARNING, "two processors or more"),
        (check_processors(8, 8, 3.5), WARNING, "server.workers to 3,"),
        (check_processors(4, 8, 4.0), OK, ""),
        (check_kernels("avx2", frozenset({"avx2", "fma"})), OK, ""),
        (check_kernels("neon", frozenset()), OK, ""),
        (check_kernels("portable", frozenset({"avx2"})), WARNING, "the processor has avx2"),
        (check_kernels("portable", frozenset({"sse2"})), WARNING, "use a machine with AVX2"),
        (check_memory(16 * GIB, 8 * GIB, 12 * GIB), OK, ""),
        (check_memory(8 * GIB, 8 * GIB, 12 * GIB), PROBLEM, "memory_bytes_max to less than 8.0 GiB"),
        (check_memory(16 * GIB, GIB // 2, 12 * GIB), WARNING, "end other programs"),
        (check_memory(16 * GIB, GIB // 2, GIB // 4), OK, ""),
        (check_open_files(UNLIMITED, UNLIMITED, 1024), OK, ""),
        (check_open_files(1536, 1536, 1024), OK, ""),
        (check_open_files(1024, 4096, 1024), WARNING, "permit 1536 (ulimit -n 1536"),
        (check_open_files(1024, 1024, 1024), WARNING, "permit 1536 (as root: ulimit -n 1536"),
        (check_open_files(1024, UNLIMITED, 1024), WARNING, "permit 1536 (ulimit -n 1536"),
        (check_file_size(UNLIMITED, GIB), OK, ""),
        (check_file_size(GIB - 1, GIB), PROBLEM, "segments have 1.0 GiB"),
        (check_file_size(GIB, GIB), WARNING, "checkpoints"),
        (check_address_space(UNLIMITED, GIB, 65_530), OK, ""),
        (check_address_space(UNLIMITED, GIB, None), OK, ""),
        (check_address_space(UNLIMITED, GIB, 1000), WARNING, "vm.max_map_count=65530"),
        (check_address_space(GIB - 1, GIB, None), PROBLEM, "ulimit -v"),
        (check_address_space(2 * GIB, GIB, None), WARNING, "ulimit -v"),
        (check_allocator("glibc", {}, WANTED), OK, ""),
        (check_allocator("glibc", WANTED, WANTED), OK, ""),
        (check_allocator("glibc", {"MALLOC_A_": "9"}, WANTED), WARNING, "unset MALLOC_A_,"),
        (check_allocator("", {}, WANTED), WARNING, "glibc"),
        (check_allocator("", {"LD_PRELOAD": "/lib/libjemalloc.so.2"}, WANTED), OK, ""),
        (check_clock("tsc", True, 0), OK, ""),
        (check_clock("", None, 0), OK, ""),
        (check_clock("tsc", False, 0), WARNING, "NTP"),
        (check_clock("hpet", True, 0), WARNING, "slow"),
        (check_clock("tsc", True, 3600), PROBLEM, "set the clock"),
    ],
)
def test_a_check_says_what_to_change(finding: Finding, severity: Severity, advice: str) -> None:
    assert finding.severity is severity, finding
    assert finding.found
    assert advice in finding.advice
    assert bool(finding.advice) is (severity is not OK)


def test_what_was_found_has_the_numbers() -> None:
    assert check_processors(3, 8, 2.5).found == "3 of 8 processors, 2.5 by the quota of the container"
    assert check_clock("tsc", True, 3600).found.endswith("3,600 s behind the newest file of the data directory")
    assert check_open_files(UNLIMITED, UNLIMITED, 1).found == "at most any number of open files"
