"""Recall on a snapshot: search, ranking, streams."""
