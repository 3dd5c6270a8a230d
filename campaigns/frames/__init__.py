"""Mutated frames on the WebSockets of a running server: what no client should send, by the hundred thousand."""
