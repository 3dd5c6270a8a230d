"""What files take on the disk."""

from __future__ import annotations

from pathlib import Path


def disk_bytes(path: Path) -> int:
    """Return what a file, or a directory with all that is in it, takes on the disk, in bytes."""
    inside = sum(map(disk_bytes, path.iterdir())) if path.is_dir() else 0
    return inside + path.lstat().st_blocks * 512
