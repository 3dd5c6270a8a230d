"""Everything that a user could ask a space, each with the one right answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campaigns.damage.model import Model, Version
from campaigns.damage.served import Askable, ServedSpace
from campaigns.damage.story import SESSION, Row
from engram.errors import CorruptData, EngramError, NewerFormat, Unavailable
from engram.model.cue import Between, Cue, Filter
from engram.model.hit import Hit
from engram.model.strength import Strength
from engram.store.space import Space

# Scores are added up in float32, in another order.
_TOLERANCE: Final = 1e-5
_EF: Final = 10_000
_FOLLOWED: Final = 0.2


class Question(NamedTuple):
    """One question: its name, and what asks it and says what is wrong with the answer (``""`` for nothing)."""

    name: str
    ask: Callable[[Any], str]

    @property
    def is_look_up(self) -> bool:
        """Whether it looks up one id, of which there are many."""
        return self.name.startswith("get ")

    @property
    def is_recall(self) -> bool:
        """Whether it is one call of `recall`, which clients have, too."""
        return self.name.startswith(("recall ", "list "))


def questions(model: Model) -> list[Question]:
    """All questions to the space that `model` describes."""
    cues = np.random.default_rng(5).standard_normal((4, model.dim)).astype(np.float32)
    return [
        Question("numbers", lambda space: _numbers(space, model)),
        *_look_ups(model),
        *_recalls(model, cues),
        *_filtered(model, cues[0]),
        *_of_the_past(model, cues[1]),
        *_worded(model),
        *_streams(model, cues),
        *_skipping(model, cues[0]),
    ]


def _numbers(space: Space, model: Model) -> str:
    found = (space.generation, space.stats().live_count, space._engine.durable_sequence(SESSION))
    meant = (model.generation, len(model.alive()), model.sequence(SESSION))
    return "" if found == meant else f"generation, live ones and the session are {found}, not {meant}"


def _look_ups(model: Model) -> Iterator[Question]:
    live = {version.row.id: version for version in model.alive()}
    for id in [*sorted(model.ids), "never-there"]:
        yield Question(f"get {id}", _look_up(id, live.get(id), None))


def _look_up(id: str, meant: Version | None, at: int | None) -> Callable[[Space], str]:
    def ask(space: Space) -> str:
        hit = space.get(id, at)
        if hit is None or meant is None:
            return (
                "" if (hit is None) == (meant is None) else f"it is {'' if hit else 'not '}there, as of {at or 'now'}"
            )
        return differs(hit, meant)

    return ask


def differs(hit: Hit, meant: Version, with_vector: bool = True) -> str:
    """What of `hit` is not as it was acknowledged."""
    row = meant.row
    vector = hit.vector if with_vector else row.vector
    content = hit.content if hit.has_content else None
    found = hit.id, content, hit.metadata, hit.tags, hit.time_us, hit.confidence, hit.importance, hit.expires_us
    # What is told as news has a confidence that grows with its age.
    sure = hit.confidence if hit.recent and 0.9 * row.confidence <= hit.confidence <= row.confidence else row.confidence
    right = row.id, row.content, row.metadata, row.tags, row.time_us, sure, row.importance, row.expires_us
    names = (*Row._fields[:1], *Row._fields[2:], "generation")
    for name, one, other in zip(names, (*found, hit.generation), (*right, meant.generation), strict=True):
        if one != other:
            return f"{name} of generation {meant.generation} is {one!r}, not {other!r}"[:200]
    if (vector is None) != (row.vector is None):
        return f"there is {'no' if vector is None else 'a'} vector"
    if vector is not None and row.vector is not None and vector.tobytes() != row.vector.tobytes():
        return f"the vector of generation {meant.generation} is another"
    return ""


def _compared(
    hits: list[Hit],
    meant: Mapping[int, float],
    model: Model,
    whole: bool = True,
    read: int = 3,
    with_vectors: bool = True,
) -> str:
    """Whether `hits` are the observations `meant`, with their scores and in their order; some are read in full."""
    found = {hit.generation: hit.score for hit in hits}
    if len(found) < len(hits):
        return "a result came twice"
    if found.keys() - meant.keys() or (whole and len(found) < len(meant)):
        strange, missing = sorted(found.keys() - meant.keys()), sorted(meant.keys() - found.keys())
        return f"found {strange[:5]} ({len(strange)}) that do not belong, {missing[:5]} ({len(missing)}) are missing"
    for generation, score in found.items():
        if abs(score - meant[generation]) > _TOLERANCE * max(1.0, abs(meant[generation])):
            return f"generation {generation} has the score {score}, not {meant[generation]}"
    versions = {version.generation: version for version in model.versions}
    return next((what for hit in hits[:read] if (what := differs(hit, versions[hit.generation], with_vectors))), "")


def _is_sorted(hits: list[Hit]) -> str:
    scores = [hit.score for hit in hits]
    return "" if scores == sorted(scores, reverse=True) else "the best is not first"


def _recalls(model: Model, cues: NDArray[np.float32]) -> Iterator[Question]:
    for number, cue in enumerate(cues):
        meant = model.scores(cue, model.alive())

        def every(space: Askable, cue: NDArray[np.float32] = cue, meant: dict[int, float] = meant) -> str:
            hits = space.recall(cue, k=max(1, len(meant)), ef=_EF)
            return _compared(hits, meant, model) or _is_sorted(hits)

        def best(space: Askable, cue: NDArray[np.float32] = cue, meant: dict[int, float] = meant) -> str:
            hits = space.recall(cue, k=5)
            return _compared(hits, meant, model, whole=False, read=5) or _is_sorted(hits)

        yield Question(f"recall all by cue {number}", every)
        yield Question(f"recall 5 by cue {number}", best)


def _filtered(model: Model, cue: NDArray[np.float32]) -> Iterator[Question]:
    alive = model.alive()
    middle = alive[len(alive) // 2].row.time_us if alive else 0
    filters: list[tuple[Filter, Callable[[Row], bool]]] = [
        (Filter(tags={"red"}), lambda row: "red" in row.tags),
        (Filter(without_tags={"blue"}), lambda row: "blue" not in row.tags),
        (Filter(metadata={"name": "bob"}), lambda row: row.metadata.get("name") == "bob"),
        (Filter(metadata={"flag": True}), lambda row: row.metadata.get("flag") is True),
        (Filter(metadata={"ratio": Between(2, 6)}), lambda row: 2 <= row.metadata.get("ratio", -1) <= 6),
        (Filter(since=middle / 1e6), lambda row: row.time_us >= round(middle / 1e6 * 1e6)),
        (Filter(confidence_min=0.5), lambda row: row.confidence >= 0.5),
    ]
    for number, (filter, passes) in enumerate(filters):
        passed = [version for version in alive if passes(version.row)]
        meant = model.scores(cue, passed)
        listed = [version.generation for version in reversed(passed)]
        count = max(1, len(alive))

        def ranked(space: Askable, filter: Filter = filter, meant: dict[int, float] = meant, k: int = count) -> str:
            hits = space.recall(Cue(cue, filter=filter), k=k, ef=_EF)
            return _compared(hits, meant, model) or _is_sorted(hits)

        def newest(space: Askable, filter: Filter = filter, meant: list[int] = listed, k: int = count) -> str:
            found = [hit.generation for hit in space.recall(Cue(filter=filter), k=k)]
            return "" if found == meant else f"{len(found)} are listed, not {len(meant)}"

        yield Question(f"recall by filter {number}", ranked)
        yield Question(f"list by filter {number}", newest)


def _of_the_past(model: Model, cue: NDArray[np.float32]) -> Iterator[Question]:
    for at in sorted({model.generation // 4, model.generation // 2, model.generation * 7 // 8} - {0}):
        alive = model.alive(at)
        meant = model.scores(cue, alive)

        def past(space: Askable, at: int = at, meant: dict[int, float] = meant) -> str:
            hits = space.recall(cue, k=max(1, len(meant)), max_generation=at, ef=_EF)
            return _compared(hits, meant, model) or _is_sorted(hits)

        yield Question(f"recall as of {at}", past)
        living = {version.row.id: version for version in alive}
        for id in sorted(model.ids)[:: max(1, len(model.ids) // 15)]:
            yield Question(f"get {id} as of {at}", _look_up(id, living.get(id), at))


def _worded(model: Model) -> Iterator[Question]:
    alive = {version.generation for version in model.alive()}
    for words in ("pump leaking", "東京", "bob"):
        meant = model.worded(words, alive.__contains__)

        def worded(space: Askable, words: str = words, meant: dict[int, float] = meant) -> str:
            hits = space.recall(Cue(text=words, by="words"), k=max(1, len(alive)))
            # A client is not told what was found.
            is_sound = isinstance(space, Space) and not space._engine.damages.count
            right = meant if is_sound else _as_counted(hits, meant)
            return _compared(hits, right, model) or _is_sorted(hits)

        yield Question(f"recall by the words {words}", worded)


def _streams(model: Model, cues: NDArray[np.float32]) -> Iterator[Question]:
    alive = model.alive()
    meant, followed = model.scores(cues[2], alive), model.scores(cues[3], model.versions)
    least = -12.0 if model.metric == "l2" else _FOLLOWED

    def stream(space: Space) -> str:
        hits = [hit for batch in space.recall_stream(cues[2], max(1, len(meant)), 50, ef=_EF) for hit in batch]
        return _compared(hits, meant, model)

    def strong(space: Askable) -> str:
        hits = space.recall(cues[2], k=20, ef=_EF, strength=Strength(reinforce=False))
        return _compared(hits, meant, model, whole=False, read=5)

    def follow(space: Space) -> str:
        hits: list[Hit] = []
        # As of generation 0 nothing is there, and all of the log follows.
        cue = Cue(cues[3], score_min=least)
        with space.recall_stream(cue, 1, 50, max_generation=0, follow=True) as recall:
            while recall.more_results:
                hits += recall.next_batch()
            while batch := recall.poll():
                hits += batch
        near = {generation: score for generation, score in followed.items() if score >= least - _TOLERANCE}
        # What is just as near as the limit may be on either side of it.
        near = {g: s for g, s in near.items() if s >= least + _TOLERANCE or any(hit.generation == g for hit in hits)}
        return _compared(hits, near, model)

    yield Question("stream", stream)
    yield Question("recall by strength", strong)
    yield Question("follow from the beginning", follow)


def _as_counted(hits: Sequence[Hit], meant: Mapping[int, float]) -> dict[int, float]:
    """Scores by words as they came: how rare a word is, is counted in the texts that can be read."""
    return {**meant, **{hit.generation: hit.score for hit in hits if hit.generation in meant}}


def _skipping(model: Model, cue: NDArray[np.float32]) -> Iterator[Question]:
    """Recalls that go on without what is damaged: they never fail for it, and say so if anything is missing."""
    alive = model.alive()
    near, all_of_them = model.scores(cue, alive), dict.fromkeys((version.generation for version in alive), 1.0)
    words = model.worded("pump bob", all_of_them.__contains__)
    for name, cue_of_it, meant in (
        ("vector", Cue(cue), near),
        ("listing", Cue(filter=Filter(confidence_min=0.0)), all_of_them),
        ("words", Cue(text="pump bob", by="words"), words),
    ):

        def skipping(space: Space, cue: Cue = cue_of_it, meant: dict[int, float] = meant) -> str:
            try:
                hits = space.recall(cue, k=max(1, len(alive)), ef=_EF, skip_damaged=True)
                right = _as_counted(hits, meant) if space._engine.damages.count and cue.by == "words" else meant
                # A vector may lie beside a damaged one in a sector, which it says when it is asked for.
                return _compared(hits, right, model, whole=not hits.incomplete, read=5, with_vectors=False)
            except CorruptData as error:
                if error.code == "corrupt_checkpoint":
                    # It is the graph that is lost, until the space is opened again, and no observation.
                    raise
                return f"damage was to be skipped, and raised: {error}"

        yield Question(f"skip by {name}", skipping)


def answer(question: Question, space: Space | ServedSpace) -> dict[str, Any]:
    """Ask, and say how it went: ``{}`` if it was answered right."""
    try:
        wrong = question.ask(space)
    except (CorruptData, NewerFormat, Unavailable) as error:
        return {"question": question.name, "code": error.code, "field": error.field, "value": error.value}
    except EngramError as error:
        return {"question": question.name, "unnamed": f"{type(error).__name__} {error.code}: {error.message}"[:300]}
    except Exception as error:
        return {"question": question.name, "unnamed": repr(error)[:300]}
    return {"question": question.name, "wrong": wrong} if wrong else {}
