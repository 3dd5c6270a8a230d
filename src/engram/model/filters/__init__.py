"""Filters: conditions on observations, as one tree with the same meaning in Python, JSON, texts and on the wire."""
