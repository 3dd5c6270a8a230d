"""Backups of data directories, and data directories of backups."""
