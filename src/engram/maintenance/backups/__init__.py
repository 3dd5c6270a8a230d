"""Backups of data directories, and data directories restored from backups."""
