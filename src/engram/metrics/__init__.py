"""The metrics: what the engine counts and measures, described once in `engram.metrics.table`."""
