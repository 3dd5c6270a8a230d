"""Scans: everything that passes a filter, in an order and page by page, and what there is of it."""
