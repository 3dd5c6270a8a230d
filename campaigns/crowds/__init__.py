"""Campaigns with crowds: of spaces in one store, and of clients that send all at once."""
