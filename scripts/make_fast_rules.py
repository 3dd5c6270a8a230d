"""Write a variant of the alerts in which `for` is a sixtieth, so that tests with a real Prometheus see them fire.

Usage: python scripts/make_fast_rules.py FILE
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

RULES: Final = Path(__file__).parents[1] / "deployments" / "prometheus" / "alerts" / "streaming.yml"
FACTOR: Final = 60
_MILLISECONDS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_FOR: Final = re.compile(r"^( +for: )(\d+)([smh])$", re.MULTILINE)


def fast(rules: str) -> str:
    """Return the text of `rules` with every `for` divided by `FACTOR`.

    Raises
    ------
    ValueError
        If a `for` is not a whole number of seconds, minutes or hours.
    """
    shortened, count = _FOR.subn(_shortened, rules)
    if count != len(re.findall(r"\bfor: *\S", re.sub(r"#.*", "", rules))):
        raise ValueError("a `for` of the rules is not of the form 5m")
    return shortened


def _shortened(match: re.Match[str]) -> str:
    return f"{match[1]}{int(match[2]) * _MILLISECONDS[match[3]] // FACTOR}ms"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(fast(RULES.read_text(encoding="utf-8")), encoding="utf-8")
