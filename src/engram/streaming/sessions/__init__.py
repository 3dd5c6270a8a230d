"""Sessions of clients and the connections that speak for them."""
