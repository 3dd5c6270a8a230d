"""Waiting, in every home alike: how long it may take, and when to look again."""
