"""Erasure of many ids: what was written under them is searched for, as bytes, in every file and in a backup."""
