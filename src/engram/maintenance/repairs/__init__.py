"""Repair: new data directories from what is intact in damaged ones."""
