"""Kills and power cuts while a log is compacted and erased from: nothing live is lost, nothing comes back or twice."""
