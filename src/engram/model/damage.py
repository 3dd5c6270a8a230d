"""The description of a damaged place in the stored data."""

from __future__ import annotations

from typing import NamedTuple

from engram.errors import CorruptData
from engram.showing import one_line


class Damage(NamedTuple):
    """One damaged place in the stored data.

    Attributes
    ----------
    space
        Name of the space; empty if the file belongs to no space.
    file
        Path of the file in the directory of the space.
    offset
        Position of the damage in the file, in bytes.
    first_generation, last_generation
        Range of generations that may be lost, both inclusive; 0 if the range is unknown.
    what
        Description of the damage, for people.
    """

    space: str
    file: str
    offset: int
    first_generation: int
    last_generation: int
    what: str

    def __repr__(self) -> str:
        return one_line(self)

    @property
    def message(self) -> str:
        """One sentence that describes the damage."""
        lost = ""
        if self.last_generation:
            one = self.first_generation == self.last_generation
            lost = (
                f"generation {self.first_generation}"
                if one
                else (f"generations {self.first_generation} to {self.last_generation}")
            )
            lost = f" ({lost})"
        where = f"space {self.space}: " if self.space else ""
        return f"{where}{self.file} is damaged at offset {self.offset}{lost}: {self.what}"

    def error(self, code: str = "corrupt_data") -> CorruptData:
        """Return the error to raise when the damaged data is needed."""
        return CorruptData(self.message, code=code, field=self.file, value=self.offset)
