"""Spaces that rest: closed while nobody uses them, and opened again when somebody does."""
