"""The behaviours of the server, one for each method of the service."""
