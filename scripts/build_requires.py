#!/usr/bin/env python3
"""Print the build requirements of pyproject.toml, one a line, for a build without isolation."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text(encoding="utf-8"))
print("\n".join(project["build-system"]["requires"]))
