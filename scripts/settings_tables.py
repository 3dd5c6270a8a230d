"""Write the tables of settings into docs/configuration.md, from the descriptions of the settings in the code.

Usage: python scripts/settings_tables.py [--check]. With --check, nothing is written, and the exit code is 1 if the page
is not what the code gives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from engram.config import describe_settings
from engram.settings.setting import Setting

PAGE: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
BEGIN: Final = "<!-- Written by `make settings`: {section} -->\n"
END: Final = "<!-- End of {section} -->"


def main() -> None:
    """Write or check the page."""
    page = PAGE.read_text(encoding="utf-8")
    written = page
    for section, settings in describe_settings().items():
        begin, end = BEGIN.format(section=section), END.format(section=section)
        before, rest = written.split(begin)
        after = rest.split(end)[1]
        written = before + begin + "\n" + "\n".join(tables(section, list(settings.values()))) + "\n" + end + after
    if "--check" not in sys.argv:
        PAGE.write_text(written, encoding="utf-8")
    elif written != page:
        sys.exit("docs/configuration.md is not what the code gives; run `make settings`")


def tables(section: str, settings: list[Setting]) -> Iterator[str]:
    """Yield the lines of one table for each group of a section, in the order of the help of the command line."""
    order = list(dict.fromkeys(setting.group for setting in settings))
    for group, members in groupby(sorted(settings, key=lambda each: order.index(each.group)), lambda each: each.group):
        yield f"### {group}"
        yield ""
        yield "| key | default | accepted | meaning |"
        yield "|---|---|---|---|"
        for setting in members:
            default = f"`{setting.shown_default}`" if setting.shown_default else "(empty)"
            yield f"| `{section}.{setting.key}` | {default} | {setting.allowed} | {setting.help} |"
        yield ""


if __name__ == "__main__":
    main()
