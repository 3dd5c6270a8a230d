"""Measurements. Each module runs as ``python -m benchmarks.NAME``, prints a table, and saves JSON on request."""
