"""One damaged place in what is stored."""

from __future__ import annotations

from typing import NamedTuple

from engram.errors import CorruptData


class Damage(NamedTuple):
    """One damaged place.

    Parameters
    ----------
    space
        The space's name.
    file
        The file in the space's directory.
    offset
        Where in it, in bytes.
    first_generation, last_generation
        What may be lost there; 0 where that cannot be told.
    what
        What is wrong, for a person.
    """

    space: str
    file: str
    offset: int
    first_generation: int
    last_generation: int
    what: str

    @property
    def message(self) -> str:
        """The damage in a sentence."""
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
        """The error for whoever asked for what is damaged."""
        return CorruptData(self.message, code=code, field=self.file, value=self.offset)
