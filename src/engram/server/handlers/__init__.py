"""The behaviours of the server, one for each operation: they know no transport, and no messages."""
