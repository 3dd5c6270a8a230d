"""What a caller may pass: numbers and texts, lists, vectors, metadata and keywords, each decided once for all doors."""
