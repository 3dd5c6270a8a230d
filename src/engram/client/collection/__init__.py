"""What one does with the observations of a server's space without a cue: look up, scan, count, change and delete."""
