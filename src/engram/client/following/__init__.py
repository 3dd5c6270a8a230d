"""Following a space of a server: what matches a cue as it is stored, and all that changes."""
