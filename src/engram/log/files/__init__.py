"""Access to files and directories for the log."""
