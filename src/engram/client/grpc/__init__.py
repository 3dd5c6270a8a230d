"""The client's transport over gRPC."""
