"""What the clients of all transports may have, and what it means that one is gone."""
