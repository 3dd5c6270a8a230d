"""Segments: the files of the log."""
