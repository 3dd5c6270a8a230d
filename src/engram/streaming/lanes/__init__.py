"""The queue with lanes in front of the committer."""
