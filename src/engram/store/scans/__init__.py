"""Scans: everything that passes a filter at a generation, in an order, page by page; and its facets."""
