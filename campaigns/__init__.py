"""Campaigns: long runs of accidents, whose figures are in docs/reliability.md."""
