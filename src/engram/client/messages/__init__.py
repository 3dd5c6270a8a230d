"""Conversion between the client's own types and the messages of the contract; independent of the transport."""
