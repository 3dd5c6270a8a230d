"""The settings of a space, decoded from its manifest or from a description of format 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from engram.errors import CorruptData, InvalidInput, NewerFormat, Unavailable
from engram.log.files.os_errors import typed_failures
from engram.log.manifest import Manifest
from engram.model.spaces import METRICS, VECTORS, SpaceConfig
from engram.model.values.retention_policy import EVERYTHING, RetentionPolicy

_SETTINGS: Final = frozenset({"name", "dim", "metric", "embedder", "vectors", "ttl_s"})
_RETENTION: Final = "retention"


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
        If there is a setting, or a value of one, that this version does not know.
    CorruptData
        If they are not the settings of a space with this name.
    """
    _checked_policy(settings, file)
    settings = {key: value for key, value in settings.items() if key != _RETENTION}
    metric = settings.get("metric")
    # The checksum of the manifest is right, so that the name is not a damaged one.
    if isinstance(metric, str) and metric not in METRICS:
        raise _newer(file, "metric", metric, METRICS)
    vectors = settings.get("vectors")
    if isinstance(vectors, str) and vectors not in VECTORS:
        raise _newer(file, "setting vectors", vectors, VECTORS)
    return _decode(name, settings, file)


def decode_listed(name: str, manifest: Manifest, listed_id: str, file: str) -> SpaceConfig:
    """Return the settings of a space from its manifest, as `decode_settings`, where the list of spaces has a say.

    The list decides what a space is called, so a renamed one may still have its former name in its manifest.

    Parameters
    ----------
    listed_id
        Id of the space that the list calls `name`; empty if it knows none.
    """
    renamed = {"name": name} if listed_id == manifest.identity.space else {}
    return decode_settings(name, {**manifest.settings, **renamed}, file)


def policy_in(settings: dict[str, Any]) -> RetentionPolicy:
    """Return the retention that is recorded in the settings of a manifest; spaces from before have none recorded."""
    recorded = settings.get(_RETENTION)
    return EVERYTHING if recorded is None else RetentionPolicy(**recorded)


def has_policy(settings: dict[str, Any]) -> bool:
    """Whether a retention is recorded, be it that of everything."""
    return _RETENTION in settings


def with_policy(settings: dict[str, Any], policy: RetentionPolicy) -> dict[str, Any]:
    """Return settings of a manifest that record `policy`."""
    return {**settings, _RETENTION: asdict(policy)}


def with_config(settings: dict[str, Any], config: SpaceConfig) -> dict[str, Any]:
    """Return settings of a manifest that record `config` in place of what they have."""
    others = {key: value for key, value in settings.items() if key not in _SETTINGS}
    return {**config.settings(), **others}


def record(manifest: Manifest, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Record durably what `change` makes of the settings in a manifest.

    Raises
    ------
    FailedPrecondition
        If the space has been closed.
    Unavailable
        If it cannot be recorded; the settings stay as they are.
    """
    if manifest.storage.read_only:
        raise Unavailable("the store was opened read-only", code="read_only", field="path")
    with typed_failures("recording the settings of a space"):
        manifest.change_settings(change)


def _checked_policy(settings: dict[str, Any], file: str) -> None:
    try:
        policy_in(settings)
    except TypeError as error:
        raise _newer(file, "retention", str(settings[_RETENTION]), ["history_s", "dead_count"]) from error
    except InvalidInput as error:
        raise CorruptData(f"{file} is damaged: {error}", code="corrupt_description", field=file) from error


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
    return _decode(name, settings, file)


def _decode(name: str, settings: dict[str, Any], file: str) -> SpaceConfig:
    unknown = sorted(settings.keys() - _SETTINGS)
    if unknown:
        raise _newer(file, "setting", unknown[0], sorted(_SETTINGS))
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


def _newer(file: str, what: str, value: str, known: Sequence[str]) -> NewerFormat:
    return NewerFormat(
        f"{file} has the {what} {value!r}, which a newer Engram wrote; this one does not know it",
        field=file,
        limit=", ".join(known),
        value=value,
    )
