"""Work on data directories as a whole: checking, repairing, backing up and restoring them."""
