"""Reading of the receipt of an erasure from a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engram.model.operations.erasure_receipt import ErasureReceipt


def read_receipt(path: Path) -> ErasureReceipt:
    """Return the receipt in a file, as ``engram erase --json`` prints it.

    Raises
    ------
    click.BadParameter
        If the file cannot be read, or has no receipt.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        receipt = ErasureReceipt(
            fields["space"],
            fields["space_id"],
            tuple(fields["digests"]),
            fields["generation"],
            fields["count"],
            fields["erased_us"],
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise click.BadParameter(f"{path} has no receipt of an erasure: {error!r}", param_hint="--receipt") from error
    texts = [receipt.space, receipt.space_id, *receipt.digests]
    numbers = [receipt.generation, receipt.count, receipt.erased_us]
    # A digest that is no digest is found nowhere, which must not look as if nothing was left.
    is_list = isinstance(fields["digests"], list)
    if not is_list or not all(type(text) is str for text in texts) or not all(type(one) is int for one in numbers):
        raise click.BadParameter(f"{path} has no receipt of an erasure", param_hint="--receipt")
    return receipt
