"""The operations as messages of the contract: what gRPC's clients and servers encode and decode, in one table."""
