"""Measurements of recalls, embedded and from a server."""
