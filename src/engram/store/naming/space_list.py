"""The file that lists the spaces of a data directory and their aliases, and what of them is unfinished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from engram.errors import NewerFormat
from engram.log.files.checked_json import Encoded, decode_checked, encode_checked, encoded_member, joined
from engram.log.files.storage import Storage

FILE: Final = "store.json"
"""Name of the file, in the data directory."""
_KEYS: Final = ("store", "spaces", "aliases", "dropped", "renamed")


class Listed(NamedTuple):
    """An entry of the list of spaces.

    Parameters
    ----------
    space
        The space's id; empty for a space of format 1.
    generation
        Generation that the space is known to have reached.
    """

    space: str
    generation: int


@dataclass(frozen=True, slots=True)
class ListedSpaces:
    """What the list says. It is never changed; a change makes another one.

    Parameters
    ----------
    store_id
        The store's id.
    spaces
        The spaces that there are, by name.
    aliases
        The space that each alias means.
    dropped
        Directories of dropped spaces that are still to be removed, each with the id of its space. It is empty for a
        space that had none.
    renamed
        Renamed spaces whose directory is still to be moved, or whose description still has the old name: by name, the
        directory in which the space was before.
    """

    store_id: str
    spaces: Mapping[str, Listed] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def aliases_of(self, space: str) -> tuple[str, ...]:
        """Return the aliases of a space, sorted."""
        return tuple(sorted(alias for alias, target in self.aliases.items() if target == space))


def decode_list(data: bytes) -> ListedSpaces:
    """Return what a file says that `write_list` made.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote it, or noted something in it that this one does not know.
    CorruptData
        If it is not as it was written.
    KeyError, TypeError, AttributeError
        If it lacks something, or something has another form.
    """
    content = decode_checked(data, FILE)
    # It is not known what else holds for a store in which something is noted that is not known.
    unknown = sorted(content.keys() - set(_KEYS))
    if unknown:
        raise NewerFormat(
            f"{FILE} has {unknown[0]!r}, which a newer Engram wrote; this one does not know it",
            field=FILE,
            limit=", ".join(_KEYS),
            value=unknown[0],
        )
    return ListedSpaces(
        str(content["store"]),
        {name: Listed(**known) for name, known in content["spaces"].items()},
        _texts(content.get("aliases", {})),
        _texts(content.get("dropped", {})),
        _texts(content.get("renamed", {})),
    )


def write_list(storage: Storage, content: ListedSpaces, known: dict[str, tuple[Listed, Encoded]] | None = None) -> None:
    """Write the list of a data directory durably.

    Parameters
    ----------
    known
        What earlier calls encoded, by name, which is not encoded again; None: nothing. It is brought up to date.
    """
    known = {} if known is None else known
    for name, listed in content.spaces.items():
        if name not in known or known[name][0] != listed:
            known[name] = listed, encoded_member(name, listed._asdict())
    for name in known.keys() - content.spaces.keys():
        del known[name]
    spaces = joined([known[name][1] for name in sorted(content.spaces)])
    notes = {"aliases": content.aliases, "dropped": content.dropped, "renamed": content.renamed}
    # Most stores have none of them, and their list remains one that the versions before could read.
    written = {key: dict(sorted(note.items())) for key, note in notes.items() if note}
    storage.replace(FILE, encode_checked({"store": content.store_id, "spaces": spaces, **written}))


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()}
