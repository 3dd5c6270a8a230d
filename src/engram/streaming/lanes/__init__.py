"""The queue before the committer: bounded lanes, one for each priority."""
