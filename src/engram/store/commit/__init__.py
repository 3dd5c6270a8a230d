"""The way in: requests, their queue, group commit, and what is alive after it."""
