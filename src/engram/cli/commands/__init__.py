"""The commands, one module each; `engram.cli.commands.backup` also has ``restore``, `engram.cli.queries` what reads."""
