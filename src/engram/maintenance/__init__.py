"""Maintenance of whole data directories: verify, repair, back up and restore."""
