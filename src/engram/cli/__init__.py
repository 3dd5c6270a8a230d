"""The command ``engram``. It begins in `engram.cli.main`; every command has a file of its own."""
