"""Commits: requests and their queue, group commits, and the versions that are alive after them."""
