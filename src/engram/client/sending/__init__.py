"""Streaming to a server: buffers, windows, rates and sessions, free of any transport."""
