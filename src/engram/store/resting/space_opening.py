"""Opening one stored space, or a new one, with the errors that its users get."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engram.errors import CorruptData, EngramError, Unavailable
from engram.model.operations.naming_errors import unknown_space
from engram.model.spaces import SpaceConfig
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.text import get_embedder

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

# A creation takes milliseconds, or as long as its embedder takes to load.
_RETRY_AFTER_MS: Final = 200
# What says nothing about a space that cannot be opened: something is short, the store is closed, or there is no space.
_PASSING: Final = ("too_many_files", "no_memory", "too_many_open_spaces", "closed", "forked", "unknown_space")
logger: logging.Logger = logging.getLogger(__name__)


class SpaceOpening:
    """Opens the spaces of a catalogue. Any thread may use it, and sees to it that no other opens the same space.

    Parameters
    ----------
    catalogue
        The catalogue of the stored spaces.
    open_space
        Opens a stored space.
    """

    def __init__(self, catalogue: SpaceCatalog, open_space: Callable[[StoredSpace], SpaceEngine]) -> None:
        self._catalogue = catalogue
        self._open_space = open_space

    def known(self, name: str) -> SpaceEngine:
        """Open the space called `name`.

        Raises
        ------
        NotFound
            If it is not in the catalogue.
        EngramError
            As `opened`.
        """
        stored = self._catalogue.find(name)
        if stored is None:
            raise unknown_space(name)
        return self.opened(stored)

    def opened(self, stored: StoredSpace) -> SpaceEngine:
        """Open a stored space.

        Raises
        ------
        EngramError
            If it cannot be opened, for whatever reason.
        """
        name = stored.config.name
        try:
            return self._open_space(stored)
        except (EngramError, MemoryError):
            raise
        except Exception as error:
            logger.exception("space %s cannot be opened", name)
            raise CorruptData(f"space {name} cannot be opened: {error!r}", field="space", value=name) from error

    def created(self, config: SpaceConfig) -> SpaceEngine:
        """Create a space and open it.

        Raises
        ------
        EngramError
            If its embedder is unknown here or does not fit, or it cannot be written or opened, for whatever reason.
        """
        if config.embedder:
            # An embedder that is unknown here, or does not fit the dimension, must not be recorded permanently.
            get_embedder(config.embedder, config.dim)
        return self.opened(self._catalogue.add(config))


def passes(error: EngramError) -> bool:
    """Return whether the error with which a space could not be opened says nothing about the space."""
    return error.code in _PASSING


def being_created(name: str) -> Unavailable:
    """Return the error that space `name` is being created, opened, dropped or renamed, for whoever does not wait."""
    return Unavailable(
        f"space {name!r} is being created, dropped or renamed; try again in a moment",
        code="being_created",
        field="space",
        value=name,
        retry_after_ms=_RETRY_AFTER_MS,
    )
