"""The log of a server: which fields its lines have, and how they are written."""
