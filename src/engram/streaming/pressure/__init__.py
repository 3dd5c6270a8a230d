"""Measuring the pressure on the server, and refusing requests when it is too high."""
