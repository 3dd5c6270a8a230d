"""The types that all of Engram shares: observations, recall queries and results, with their limits and checks."""
