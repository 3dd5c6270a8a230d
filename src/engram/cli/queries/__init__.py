"""The commands that read from a space, one module each: recalls, look-ups, scans, counts."""
