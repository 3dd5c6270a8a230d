"""All checks, on this machine and with these settings."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from engram import __version__, _core
from engram.cli.doctor import facts
from engram.cli.doctor.disk import check_file_system, check_free_space, check_sync
from engram.cli.doctor.finding import Finding, ok
from engram.cli.doctor.machine import (
    check_address_space,
    check_allocator,
    check_clock,
    check_file_size,
    check_kernels,
    check_memory,
    check_open_files,
    check_processors,
)
from engram.cli.doctor.versions import check_packages, requirements_of_engram
from engram.server.options import ServerOptions
from engram.server.process_tuning import ALLOCATOR


def examine(data: Path, options: ServerOptions) -> Iterator[Finding]:
    """Yield what each check finds.

    Parameters
    ----------
    data
        The data directory, which need not exist.
    options
        The settings of the server.
    """
    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield ok("versions", f"Engram {__version__}, {python}, {platform.system()} {platform.release()}")
    yield check_packages(requirements_of_engram())
    yield check_processors(facts.usable_processors(), os.cpu_count() or 1, facts.container_quota())
    yield check_kernels(_core.simd(), facts.processor_flags(facts.text_of(Path("/proc/cpuinfo"))))
    yield check_memory(*facts.memory_bytes(), options.memory_bytes_max)
    yield check_open_files(*facts.limits(resource.RLIMIT_NOFILE), options.http_connections_max)
    yield check_file_size(facts.limits(resource.RLIMIT_FSIZE)[0], options.store.segment_bytes)
    mappings = facts.number_of(Path("/proc/sys/vm/max_map_count"))
    address_space = facts.limits(resource.RLIMIT_AS)[0]
    yield check_address_space(address_space, options.memory_bytes_max, mappings)
    yield check_allocator(platform.libc_ver()[0], os.environ, ALLOCATOR)
    source = facts.text_of(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    yield check_clock(source, facts.clock_is_synchronized(), facts.seconds_ahead(data, time.time()))
    yield from _of_disk(data.absolute(), options.disk_free_bytes_min)


def _of_disk(data: Path, reserve: int) -> Iterator[Finding]:
    folder = facts.existing_folder(data)
    room = os.statvfs(folder)
    # File systems that make files as long as there is space say that they can have none.
    files_left = room.f_favail if room.f_files else None
    yield check_free_space(str(folder), room.f_bavail * room.f_frsize, reserve, files_left)
    mounts = facts.text_of(Path("/proc/self/mountinfo")).splitlines()
    yield check_file_system(facts.file_system_kind(folder.resolve(), mounts))
    try:
        taken: float | OSError = facts.sync_seconds(folder)
        facts.check_rights(data)
    except OSError as error:
        taken = error
    yield check_sync(taken)
