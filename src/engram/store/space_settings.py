"""The settings of a space, decoded from its manifest or from a description of format 1."""

from __future__ import annotations

import json
from typing import Any, Final

from engram.errors import CorruptData, InvalidInput, NewerFormat
from engram.model.spaces import SpaceConfig

_SETTINGS: Final = frozenset({"name", "dim", "metric", "embedder"})


def decode_settings(name: str, settings: dict[str, Any], file: str) -> SpaceConfig:
    """Return the settings of space `name` from its manifest.

    Parameters
    ----------
    name
        Name of the space.
    settings
        The settings as they are stored.
    file
        The file they are from, for messages.

    Raises
    ------
    NewerFormat
        If there is a setting that this version does not know.
    CorruptData
        If they are not the settings of a space with this name.
    """
    unknown = sorted(settings.keys() - _SETTINGS)
    if unknown:
        raise NewerFormat(
            f"{file} has the setting {unknown[0]!r}, which a newer Engram wrote; this one does not know it",
            field=file,
            limit=", ".join(sorted(_SETTINGS)),
            value=unknown[0],
        )
    try:
        config = SpaceConfig(**settings)
    except (TypeError, InvalidInput) as error:
        raise CorruptData(f"{file} is damaged: {error}", code="corrupt_description", field=file) from error
    if config.name != name:
        raise CorruptData(
            f"{file} is that of space {config.name!r}",
            code="foreign_space",
            field="name",
            limit=name,
            value=config.name,
        )
    return config


def read_settings1(name: str, data: bytes, file: str) -> SpaceConfig:
    """Return the settings from a description of format 1, which has no checksum.

    Parameters
    ----------
    name
        Name of the space.
    data
        Content of the description.
    file
        The file it is from, for messages.

    Raises
    ------
    NewerFormat
        If there is a setting that this version does not know.
    CorruptData
        If it is not the description of a space with this name.
    """
    try:
        settings = json.loads(data)
        settings.pop("format")
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptData(f"{file} is damaged: {error}", code="corrupt_description", field=file) from error
    return decode_settings(name, settings, file)
