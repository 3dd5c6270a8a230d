"""Recalls of a server, which run beside streams of observations."""
