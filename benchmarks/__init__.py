"""Measurements. ``python -m benchmarks`` lists them; each prints a table, and saves the same as JSON on request."""
