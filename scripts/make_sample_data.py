#!/usr/bin/env python3
"""Make the sample data of `engram.data` from a larger set of WordNet glosses and their MiniLM embeddings.

Usage: make_sample_data.py SOURCE TARGET

SOURCE holds wordnet.txt (one "word: gloss" a line) and wordnet384.npy (row i belongs to line i); the files are written
to TARGET. Fifty rows become queries; around them and some further topics the nearest rows are taken in turn, so that
every query has a rich neighbourhood and the same source always gives the same sample.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS = 4000
LINE_CHARACTERS_MAX = 180

# A row is named by the beginning of its line, enough of it to be unique.
QUERIES = """
thunder: a booming|volcano: a mountain formed|violin: bowed|chocolate: a food made|telescope: a magnifier
laughter: the activity|umbrella: a lightweight|penguin: short|earthquake: shaking|chess: a board game
library: a depository|pirate: someone who robs|rainbow: an arc|espresso: strong|whale: any of the larger
surgeon: a physician|orchestra: a musical|nightmare: a terrifying|desert: arid|snowflake: a crystal
bicycle: a wheeled|submarine: a submersible|sunrise: atmospheric|hurricane: a severe|guitar: a stringed
microscope: magnifier|bread: food made|jealousy: a feeling|courage: a quality|friendship: the state
memory: the power|lullaby: a quiet|dream: a series|comet: (astronomy)|glacier: a slowly
waterfall: a steep|owl: nocturnal|orchid: any|poet: a writer|sculpture: a three|ballet: a theatrical
jazz: a genre|geometry: the pure|electron: an elementary|computer: a machine|island: a land mass
sword: a cutting|democracy: a political system|thief: a criminal|detective: an investigator
"""
TOPICS = """
honesty: the quality|treaty: a written|prison: a correctional|judge: a public|satellite: man-made|laser: an acronym
anchor: a mechanical|painter: an artist|opera: a drama|mathematics: a science|atom: (physics|keyboard: device
eclipse: one celestial|cactus: any succulent|parachutist:|remember: recapture|kitchen: a room|bridge: a structure
market: the world|hospital: a health|clock: a timepiece|river: a large natural|forest: the trees|garden: a yard
winter: the coldest|money: the most common|silence: the absence|horse: solid-hoofed|honey: a sweet|ocean: a large
moon: any natural|cheese: a solid|perfume: a toiletry|diamond: very|maze: complex|hope: the general|sleep: a natural
fog: droplets|candle: stick|secret: information|puzzle: a game
"""
UNSUITABLE = re.compile(
    r"offensive|slur|vulgar|obscen|sexual|disparag|derogat|genital|prostitut|rape|slave|Nazi|ethnic|racial|copulat|"
    r"excre|bodily waste|arous|intercourse|feces|fornicat|penis|vagina|breast|buttock|lewd|sodom|drunk|suicide|kill|"
    r"murder|corpse|negro|homosex|tortur|terroris|castrat|drug hab",
    re.IGNORECASE,
)


def find(beginnings: str, lines: list[str]) -> list[int]:
    """Row of the first line with each of the given beginnings."""
    wanted = [beginning.strip() for beginning in re.split(r"[|\n]", beginnings) if beginning.strip()]
    rows = [next((row for row, line in enumerate(lines) if line.startswith(start)), -1) for start in wanted]
    missing = [start for start, row in zip(wanted, rows, strict=True) if row < 0]
    if missing:
        raise SystemExit(f"no line begins with: {', '.join(missing)}")
    return rows


def suitable(line: str) -> bool:
    """Whether a stranger should meet this line in a first demonstration."""
    return len(line) <= LINE_CHARACTERS_MAX and line.isascii() and not UNSUITABLE.search(line)


def choose(lines: list[str], vectors: NDArray[np.float32], seeds: list[int], excluded: set[int]) -> list[int]:
    """Up to `ROWS` rows near the seeds, taken from each seed in turn, in the order of the source."""
    candidates = np.array([row for row, line in enumerate(lines) if suitable(line) and row not in excluded])
    nearest = np.argsort(-(vectors[seeds] @ vectors[candidates].T), axis=1, kind="stable")
    in_turn = dict.fromkeys(candidates[nearest[:, :ROWS].T.ravel()].tolist())
    return sorted(list(in_turn)[:ROWS])


def write(target: Path, name: str, rows: list[int], lines: list[str]) -> None:
    """Write the texts of some rows, one a line."""
    (target / name).write_text("".join(lines[row] + "\n" for row in rows), encoding="utf-8")


def main(source: Path, target: Path) -> None:
    """Read the source, choose, write the sample."""
    lines = (source / "wordnet.txt").read_text(encoding="utf-8").splitlines()
    stored = np.load(source / "wordnet384.npy")
    vectors = stored.astype(np.float32)
    queries = find(QUERIES, lines)
    rows = choose(lines, vectors, queries + find(TOPICS, lines), set(queries))
    target.mkdir(parents=True, exist_ok=True)
    write(target, "wordnet_sample.txt", rows, lines)
    write(target, "wordnet_queries.txt", queries, lines)
    np.savez_compressed(target / "wordnet_vectors.npz", sample=stored[rows], queries=stored[queries])
    print(f"{len(rows)} rows and {len(queries)} queries written to {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
