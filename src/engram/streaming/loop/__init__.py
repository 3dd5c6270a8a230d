"""What the event loop is told by other threads."""
