"""Messages of observe streams in protobuf, from and to the sessions."""
