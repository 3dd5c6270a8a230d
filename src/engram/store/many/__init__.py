"""Recalls of many cues at once: what is worked out once for all of them, and what is searched for together."""
