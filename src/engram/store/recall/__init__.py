"""Recall on a snapshot: search, ranking and streams."""
