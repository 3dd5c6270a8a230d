"""Retention on the disk: what is dropped from logs, and when."""
