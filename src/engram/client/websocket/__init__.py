"""The client's transport over WebSocket; it needs neither gRPC nor protobuf."""
