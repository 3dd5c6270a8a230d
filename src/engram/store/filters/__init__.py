"""Filters: they determine which observations meet the conditions of a recall, on arrays by generation."""
