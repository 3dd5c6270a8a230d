"""What one does with the observations of a server's space beside recalling by one cue."""
