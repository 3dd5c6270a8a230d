"""Following: the changes of a space, and what followers are told, one by one, as it comes."""
