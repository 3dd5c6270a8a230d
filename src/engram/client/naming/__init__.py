"""The names of a server's spaces, as clients change them."""
