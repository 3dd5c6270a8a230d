"""Campaigns with crowds: of spaces in one store, and of connections, streams and large batches at the same time."""
