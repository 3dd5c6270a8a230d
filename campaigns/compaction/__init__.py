"""Kills of a process that compacts its log while sessions write: nothing live is lost, nothing is stored twice."""
