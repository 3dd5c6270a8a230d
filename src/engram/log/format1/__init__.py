"""Logs of format 1, which Engram 0.1 wrote: they are read, and never written any more."""
