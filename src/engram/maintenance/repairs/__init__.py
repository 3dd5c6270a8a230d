"""New data directories of what is sound in damaged ones."""
