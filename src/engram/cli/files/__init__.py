"""Readers of files with observations; they read in chunks of bounded size."""
