"""Conditions on observations, as bitmaps over generations."""
