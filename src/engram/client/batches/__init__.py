"""What a client does with batches that are larger than one request may be: it sends them in parts."""
