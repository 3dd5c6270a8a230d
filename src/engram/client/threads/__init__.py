"""The threads of blocking clients, and how others wait for them."""
