"""What ``engram top`` shows: the load of a server between two looks at its metrics."""
