"""The commands that are about the names of spaces, one module each: dropping, renaming, and aliases."""
