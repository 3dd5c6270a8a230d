"""What is known of the spaces that rest, so that they can be listed without being opened."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from engram.errors import EngramError, Unavailable
from engram.log.files.checked_json import decode_checked, encode_checked
from engram.log.files.storage import Storage
from engram.model.spaces import SpaceConfig
from engram.store.space_catalog import SpaceCatalog

FILE: Final = "summaries.json"
logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpaceSummary:
    """A space as it was when it was last closed.

    Parameters
    ----------
    config
        Settings of the space.
    space
        Id of the space, as in its manifest.
    generation
        Its newest generation.
    live_count
        Number of observations that are neither deleted nor superseded.
    log_bytes
        Size of the log in bytes.
    """

    config: SpaceConfig
    space: str
    generation: int
    live_count: int
    log_bytes: int


class SpaceSummaries:
    """The summaries of the spaces of one data directory. Any thread may use them.

    They are a cache: without the file, or with an old one, a space is summed up by its manifest. So the file is written
    now and then only, and nobody waits for it. What is older than the list of spaces, because the process was killed,
    is not believed.

    Parameters
    ----------
    storage
        The data directory.
    catalogue
        The catalogue of its spaces.
    """

    def __init__(self, storage: Storage, catalogue: SpaceCatalog) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._guard = threading.Lock()
        self._is_changed = False
        self._by_name: dict[str, SpaceSummary] = {}
        try:
            if FILE in storage.names():
                content = decode_checked(storage.read(FILE), FILE)
                self._by_name = {name: _decoded(name, known) for name, known in content["spaces"].items()}
        except (EngramError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            logger.info("%s is not used: %s", FILE, error)

    def of(self, name: str) -> SpaceSummary | None:
        """Return the summary of a space; None if there is no such space.

        Raises
        ------
        EngramError
            If its manifest has to be read, and cannot be.
        """
        known, listed = self._by_name.get(name), self._catalogue.listed(name)
        if known is not None and known.space == listed.space and known.generation >= listed.generation:
            return known
        stored = self._catalogue.find(name)
        if stored is None:
            return None
        generation, space = stored.generation_min, ""
        if stored.manifest is not None:
            generation = max(generation, stored.manifest.mark.generation)
            space = stored.manifest.identity.space
        # How many of the generations are alive is not known before the space is opened.
        summary = SpaceSummary(stored.config, space, generation, generation, 0)
        self._set(summary)
        return summary

    def of_all(self, names: Iterable[str]) -> tuple[list[SpaceSummary], dict[str, EngramError]]:
        """Return the summaries of spaces, and the errors of those that are damaged; what passes leaves one out."""
        found: list[SpaceSummary] = []
        errors: dict[str, EngramError] = {}
        for name in names:
            try:
                summary = self.of(name)
            except Unavailable:
                continue
            except EngramError as error:
                errors[name] = error
            else:
                found += [] if summary is None else [summary]
        return found, errors

    def note(self, summary: SpaceSummary) -> None:
        """Note the summary of an open space."""
        self._set(summary)
        self._catalogue.reached(summary.config.name, summary.space, summary.generation)

    def forget(self, name: str) -> None:
        """Forget the summary of a space that is not called `name` any more."""
        with self._guard:
            self._is_changed |= self._by_name.pop(name, None) is not None

    def _set(self, summary: SpaceSummary) -> None:
        with self._guard:
            self._is_changed |= self._by_name.get(summary.config.name) != summary
            self._by_name[summary.config.name] = summary

    def save(self) -> None:
        """Write the file, if something changed and the storage is writable. A failure is logged."""
        with self._guard:
            if not self._is_changed or self._storage.read_only:
                return
            self._is_changed = False
            content = {name: _encoded(known) for name, known in sorted(self._by_name.items())}
        try:
            self._storage.replace(FILE, encode_checked({"spaces": content}))
        except OSError as error:
            logger.info("%s cannot be written: %s", FILE, error)


def _encoded(summary: SpaceSummary) -> dict[str, Any]:
    settings = summary.config.settings()
    del settings["name"]
    return {
        "settings": settings,
        "space": summary.space,
        "generation": summary.generation,
        "live": summary.live_count,
        "log_bytes": summary.log_bytes,
    }


def _decoded(name: str, known: dict[str, Any]) -> SpaceSummary:
    config = SpaceConfig(name, **known["settings"])
    generation, live, log_bytes = (int(known[field]) for field in ("generation", "live", "log_bytes"))
    return SpaceSummary(config, str(known["space"]), generation, live, log_bytes)
