"""Updates: observations are read back from the log, changed, and stored as new versions."""
