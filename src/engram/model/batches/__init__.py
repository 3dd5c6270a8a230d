"""Batches of observations of any size: what is checked of them, and how large ones are stored in parts."""
