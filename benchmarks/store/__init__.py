"""Measurements of the store and of the log under it."""
