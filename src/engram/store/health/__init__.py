"""Health: what is wrong with a space or with the store, since when, and what to do about it."""
