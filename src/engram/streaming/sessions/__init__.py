"""Sessions of clients, and the connections that serve them."""
