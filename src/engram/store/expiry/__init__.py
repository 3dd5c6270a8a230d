"""Expiry: which observations are due, and how they are removed."""
