"""The protobuf contract on the server's side: its methods for any transport that carries them, such as gRPC."""
