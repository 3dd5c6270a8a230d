"""Records: the stored form of log entries."""
