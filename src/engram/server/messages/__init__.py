"""Conversion between the protobuf messages of observe streams and the objects of sessions."""
