"""The command line ``engram``: `engram.cli.main` is the entry point, `engram.cli.commands` has a module per command."""
