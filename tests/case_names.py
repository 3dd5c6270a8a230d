"""Names of cases that are the same in every process, so that several can share the tests of one run."""

import re


def named(value: object) -> str:
    """Return the `repr` of a value, without the address that objects have in theirs."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
