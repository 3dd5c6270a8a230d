"""Logs of format 1, which Engram 0.1 wrote. This version reads them and never writes them."""
