"""Streaming of observations to a server: buffers, windows, rates and sessions, independent of the transport."""
