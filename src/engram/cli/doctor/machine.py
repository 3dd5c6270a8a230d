"""Checks of processors, memory, limits of the process, the allocator and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engram.cli.doctor.finding import Finding, ok, problem, warning
from engram.cli.tables import nbytes_text

# The best kernels first, with the flags of /proc/cpuinfo that a processor needs for them.
_KERNELS: Final = {"avx512": "avx512f", "avx2": "avx2", "neon": "asimd"}
# What a server opens besides connections: segments, checkpoints, libraries.
_FILES_BESIDE: Final = 512
_MAPPINGS_MIN: Final = 65_530
_MEMORY_BYTES_MIN: Final = 1 << 30
_SLOW_CLOCKS: Final = frozenset({"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"})
UNLIMITED: Final = -1


def check_processors(usable: int, present: int, quota: float | None) -> Finding:
    """Check how many processors a server may use.

    Parameters
    ----------
    usable, present
        Number of processors that this process may run on, and of all.
    quota
        Number of processors whose time the container may use; None for no limit.
    """
    limited = f", {quota:g} by the quota of the container" if quota is not None else ""
    found = f"{usable} of {present} processors{limited}"
    if min(usable, usable if quota is None else quota) < 2:
        advice = "give the server two processors or more, so that linking and committing do not wait for each other"
        return warning("processors", found, advice)
    if quota is not None and quota < usable:
        return warning("processors", found, f"set server.workers to {max(1, int(quota))}, as the quota permits no more")
    return ok("processors", found)


def check_kernels(used: str, flags: frozenset[str]) -> Finding:
    """Check that distances are computed with the best instructions that the processor has.

    Parameters
    ----------
    used
        Name of the kernels that the native core chose.
    flags
        Features of the processor, as the kernel of the system names them; empty if they are not known.
    """
    best = next((name for name, flag in _KERNELS.items() if flag in flags), None)
    if used not in _KERNELS:
        advice = "recalls take several times longer; use a machine with AVX2 or NEON"
        if best is not None:
            advice = f"the processor has {best}: install a wheel for this machine, or compile with a newer compiler"
        return warning("CPU features", f"kernels: {used}", advice)
    return ok("CPU features", f"kernels: {used}; features of use: {', '.join(_useful(flags)) or 'not known'}")


def check_memory(total: int, available: int, budget: int) -> Finding:
    """Check that the memory budget of the server can be had.

    Parameters
    ----------
    total, available
        Memory of the machine or container, and what is available at the moment, in bytes.
    budget
        `memory_bytes_max` of the server.
    """
    found = f"{nbytes_text(total)}, {nbytes_text(available)} available; the server may use {nbytes_text(budget)}"
    if budget > total:
        advice = f"set server.memory_bytes_max to less than {nbytes_text(total)}; otherwise the system ends the server"
        return problem("memory", found, advice)
    if available < min(_MEMORY_BYTES_MIN, budget):
        return warning("memory", found, "end other programs, or use a machine with more memory")
    return ok("memory", found)


def check_open_files(limit: int, hard_limit: int, connections: int) -> Finding:
    """Check that the process may have enough files and connections open; `UNLIMITED` is no limit."""
    needed = connections + _FILES_BESIDE
    found = f"at most {limit if limit != UNLIMITED else 'any number of'} open files"
    if limit == UNLIMITED or limit >= needed:
        return ok("open files", found)
    way = "ulimit -n" if hard_limit == UNLIMITED or hard_limit >= needed else "as root: ulimit -n"
    advice = f"permit {needed} ({way} {needed}, or LimitNOFILE= of systemd), or lower server.http_connections_max"
    return warning("open files", found, advice)


def check_file_size(limit: int, needed: int) -> Finding:
    """Check that files may be as large as segments of the log are; `UNLIMITED` is no limit."""
    if limit == UNLIMITED:
        return ok("file size", "no limit")
    found, advice = f"at most {nbytes_text(limit)}", "remove the limit (ulimit -f unlimited)"
    if limit < needed:
        return problem("file size", found, f"{advice}: writes fail at it, as segments have {nbytes_text(needed)}")
    return warning("file size", found, f"{advice}: checkpoints of large spaces may reach it")


def check_address_space(limit: int, needed: int, mappings: int | None) -> Finding:
    """Check that logs can be mapped into memory.

    Parameters
    ----------
    limit
        Limit of the address space in bytes; `UNLIMITED` is no limit.
    needed
        Memory budget of the server in bytes.
    mappings
        Number of mappings that a process may have; None if it is not known.
    """
    if limit != UNLIMITED:
        found, advice = (
            f"at most {nbytes_text(limit)}",
            "remove the limit (ulimit -v unlimited): logs are mapped as a whole",
        )
        return (problem if limit < needed else warning)("address space", found, advice)
    if mappings is not None and mappings < _MAPPINGS_MIN:
        advice = f"sysctl -w vm.max_map_count={_MAPPINGS_MIN}"
        return warning("address space", f"at most {mappings} mappings", advice)
    return ok("address space", "no limit")


def check_allocator(libc: str, environ: Mapping[str, str], wanted: Mapping[str, str]) -> Finding:
    """Check how memory is allocated.

    Parameters
    ----------
    libc
        Name of the C library; empty if it is not known.
    environ
        The variables of the environment.
    wanted
        The variables that ``engram serve`` sets for itself unless one of them is set.
    """
    preloaded = environ.get("LD_PRELOAD", "")
    if any(name in preloaded for name in ("jemalloc", "tcmalloc", "mimalloc")):
        return ok("malloc", f"LD_PRELOAD={preloaded}")
    if libc != "glibc":
        advice = "use a system with glibc for much traffic: large messages cost two to four times less there"
        return warning("malloc", f"C library: {libc or 'unknown'}", advice)
    given = {name: environ[name] for name in wanted if name in environ}
    if not given:
        return ok("malloc", "glibc; engram serve sets it up by itself")
    found = f"glibc, set up by {', '.join(f'{name}={value}' for name, value in given.items())}"
    if given == dict(wanted):
        return ok("malloc", found)
    return warning("malloc", found, f"unset {', '.join(given)}, so that engram serve sets up all of it")


def check_clock(source: str, synchronized: bool | None, ahead_s: float) -> Finding:
    """Check the clock.

    Parameters
    ----------
    source
        Name of the system's clock source; empty if it is not known.
    synchronized
        Whether the clock is kept right by others; None if it is not known.
    ahead_s
        Seconds by which the newest file of the data directory is ahead of the clock; 0 if it is not.
    """
    found = f"source {source or 'not known'}, {_SYNCHRONIZED[synchronized]}"
    if ahead_s > 0:
        found = f"{found}, {ahead_s:,.0f} s behind the newest file of the data directory"
        return problem("clock", found, "set the clock: recalls by time would answer as of wrong moments")
    if synchronized is False:
        return warning(
            "clock", found, "run an NTP client (systemd-timesyncd, chrony): observations get their time here"
        )
    if source in _SLOW_CLOCKS:
        return warning("clock", found, "reading this clock is slow; choose tsc or that of the hypervisor")
    return ok("clock", found)


_SYNCHRONIZED: Final = {True: "synchronized", False: "not synchronized", None: "perhaps not synchronized"}


def _useful(flags: frozenset[str]) -> list[str]:
    known = ("avx2", "fma", "avx512f", "avx512_vnni", "asimd", "asimddp", "sse4_2")
    return [name for name in known if name in flags]
