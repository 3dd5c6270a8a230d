"""What a trial showed: that the store kept its word, or how it did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from campaigns.damage.harm import LIST, Harm
from campaigns.damage.pristine import Pristine
from engram.log.records.sectors import SECTOR_BYTES

KEPT: Final = ("served right and reported", "refused by name", "harmless", "unprovable")
BROKEN: Final = (
    "wrong answer",
    "silent loss",
    "unnamed exception",
    "dead process",
    "sound space refused",
    "unreported",
)


class Verdict(NamedTuple):
    """One of `KEPT` or `BROKEN`, and what it rests on."""

    word: str
    detail: str = ""


def judge(pristine: Pristine, harm: Harm, found: Mapping[str, Any] | None, is_rewritten: bool = False) -> Verdict:
    """The verdict on one trial.

    Parameters
    ----------
    pristine
        What was damaged a copy of.
    harm
        How.
    found
        What the examination found; None where the process died.
    is_rewritten
        Whether the store wrote before it was made to read everything.
    """
    if found is None:
        return Verdict("dead process")
    broken = _broken(pristine, harm, found)
    if broken is not None:
        return broken
    if found["refused"]:
        return Verdict("refused by name", ", ".join(_codes(found)))
    if reports(found):
        return Verdict("served right and reported")
    harmless = harm.harmless
    if is_rewritten and not harm.files[0].endswith(".log"):
        harmless = harmless or "it was written anew from memory before anybody read it"
    return Verdict("harmless", harmless) if harmless else Verdict("unreported")


def _broken(pristine: Pristine, harm: Harm, found: Mapping[str, Any]) -> Verdict | None:
    """How the store broke its word, or that it lost what nothing proves."""
    for kind, word in (("unnamed", "unnamed exception"), ("wrong", "wrong answer")):
        if found[kind]:
            return Verdict(word, str(found[kind][0]))
    if "unopened" in found:
        return Verdict("sound space refused", found["unopened"])
    # A list of another store makes strangers of all spaces: it cannot be told which of the two is in the wrong place.
    concerned = found["refused"].keys() if harm.kind == "foreign file" and LIST in harm.files else harm.spaces
    strange = sorted(found["refused"].keys() - concerned)
    if strange:
        return Verdict("sound space refused", f"{strange[0]}: {found['refused'][strange[0]]['first']}")
    return _loss(pristine, harm, found)


def _loss(pristine: Pristine, harm: Harm, found: Mapping[str, Any]) -> Verdict | None:
    for space, lost in found["lost"].items():
        if not isinstance(lost, list):
            return Verdict("silent loss", f"{space}: {lost}")
        meant, went = lost
        files = (LIST, f"spaces/{space}/space.json")
        provable = pristine.provable(space, [file for file in files if file not in harm.files])
        if not harm.may_unmake or space not in harm.spaces or went < provable:
            return Verdict("silent loss", f"{space} ends with {went} instead of {meant}; {provable} is provable")
        return Verdict("unprovable", f"{meant - went} of {meant} generations, all behind the mark at {provable}")
    return None


def reports(found: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """All places that were named: space, file, offset."""
    places = []
    for state in found["states"]:
        places += [(space, file, offset) for space, file, offset in state["damages"]]
        places += [(space, field, _number(value)) for space, (field, value) in state["named"].items()]
    places += [
        (space, refused["place"][0], _number(refused["place"][1])) for space, refused in found["refused"].items()
    ]
    return places


def naming(harm: Harm, found: Mapping[str, Any] | None) -> str:
    """How exactly the damaged place was named: ``"sector"``, ``"file"``, ``"space"`` or ``""``."""
    places = reports(found) if found is not None else []
    names = {Path(file).name for file in harm.files}
    in_file = [offset for _, file, offset in places if Path(file).name in names]
    if harm.offset >= 0 and any(
        harm.offset // SECTOR_BYTES <= offset // SECTOR_BYTES <= (harm.offset + harm.nbytes - 1) // SECTOR_BYTES
        for offset in in_file
    ):
        return "sector"
    return "file" if in_file else "space" if harm.spaces & {space for space, _, _ in places} else ""


def _codes(found: Mapping[str, Any]) -> list[str]:
    return sorted({code for refused in found["refused"].values() for code in refused["codes"]})


def _number(value: Any) -> int:
    return int(value) if str(value).isdigit() else 0
