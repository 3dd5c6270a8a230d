"""Recalls beside streams of observations."""
