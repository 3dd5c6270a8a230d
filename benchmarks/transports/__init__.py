"""What a client pays for gRPC, WebSockets and HTTP."""
