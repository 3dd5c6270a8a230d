"""The threads that link, compact and checkpoint the graph."""
