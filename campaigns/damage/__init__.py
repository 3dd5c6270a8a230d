"""Damage to what is stored, thousands of times over: nothing wrong is served, nothing provable vanishes unsaid."""
