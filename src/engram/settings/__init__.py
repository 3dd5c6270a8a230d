"""Settings: what a field of a class of options accepts, and how values are read from files, variables and options.

A class of options describes its fields with `engram.settings.setting.setting`. Everything else follows from that
description: the check of the constructor, the key in the file, the environment variable, the option of the command
line, its help, and the table in the documentation.
"""
