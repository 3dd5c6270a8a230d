"""The operations over HTTP: their routes come from the table of operations, and their forms from the JSON codec."""
