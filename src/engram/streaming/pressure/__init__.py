"""Measuring how full the server is, and refusing what is too much."""
