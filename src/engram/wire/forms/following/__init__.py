"""What followers are told, as JSON and as frames."""
