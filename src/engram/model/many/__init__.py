"""A recall of many cues at once: the cues, the query and the result."""
