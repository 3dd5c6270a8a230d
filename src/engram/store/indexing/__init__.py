"""Work on the graph behind the commits: linking, compaction and checkpoints, and the threads that do it."""
