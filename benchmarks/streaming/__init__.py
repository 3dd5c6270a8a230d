"""Measurements of streams into a server, and of what holds them back."""
