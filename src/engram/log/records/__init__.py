"""Records: what a log entry looks like once it is stored."""
