"""What both ends of a WebSocket have in common: the heads of frames, and writing what leaves in one turn together."""
