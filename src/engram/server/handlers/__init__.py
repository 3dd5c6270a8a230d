"""What the server does for each call."""
