"""Files and directories as the log uses them."""
