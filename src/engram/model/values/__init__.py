"""What a caller may pass, decided once for each kind of value: numbers and texts, lists, vectors, metadata, keywords."""
