"""Opens a damaged directory and asks everything. Run as a process, so that one that dies is noticed, too."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from campaigns.damage.model import Model
from campaigns.damage.pristine import models
from campaigns.damage.questions import Question, answer, questions
from campaigns.damage.served import ServedSpace, ServedStore
from campaigns.damage.story import SPACES, write_more
from campaigns.damage.writer import SEGMENT_BYTES, apply
from engram import MemoryStore
from engram.errors import CorruptData, EngramError, NewerFormat, NotFound, Unavailable
from engram.store import StoreOptions
from engram.store.space import Space

_OPTIONS: Final = StoreOptions(
    segment_bytes=SEGMENT_BYTES, workers=1, scrub_bytes_per_s=0, mark_interval_s=86_400.0, drain_s=60.0
)
_KEPT: Final = 5
# Where not everything is asked, one of so many.
_LOOKED_UP: Final = 13
_ASKED: Final = 4


class Examination:
    """One trial: a store that is opened, asked, read and closed.

    Parameters
    ----------
    path
        The data directory.
    models
        What its spaces must answer.
    seed
        Of what is written meanwhile.
    hit
        The spaces that are asked everything.
    turn
        Which questions the others are asked, each time some more.
    """

    def __init__(
        self, path: Path, models: Mapping[str, Model], seed: str, hit: Collection[str] = (), turn: int = 0
    ) -> None:
        self.hit = hit
        self._turn = turn
        self._path = path
        self._models = dict(models)
        self._seed = seed
        self._store: MemoryStore | ServedStore | None = None
        self.findings: dict[str, Any] = {
            "refused": {},
            "wrong": [],
            "unnamed": [],
            "lost": {},
            "questions": 0,
            "states": [],
        }

    def open(self) -> None:
        """Open the store, and note which spaces are not served."""
        try:
            self._store = MemoryStore(self._path, options=_OPTIONS)
        except Exception as error:
            self._note_failure("open", "", error)
            self.findings["unopened"] = str(error)[:300]
            return
        self._note_damages("opened")

    def serve(self) -> None:
        """Start a server on the directory, to ask through a client."""
        self._store = ServedStore(self._path)

    def ask(self) -> None:
        """Ask everything of the spaces that were hit, and some of the others."""
        self._ask(self.hit)

    def sample(self) -> None:
        """Ask some of every space."""
        self._ask(())

    def _ask(self, thoroughly: Collection[str]) -> None:
        if self._store is not None:
            for name, model in self._models.items():
                space = self._find(name, model)
                if space is not None:
                    self._put_questions(name, space, name in thoroughly)
            self._note_damages("asked")

    def scrub(self) -> None:
        """Have everything read."""
        if isinstance(self._store, MemoryStore):
            try:
                self._store.scrub()
            except Exception as error:
                self._note_failure("scrub", "", error)
            self._note_damages("scrubbed")

    def write(self) -> None:
        """Write to every space that is served."""
        for name in self._models if isinstance(self._store, MemoryStore) else ():
            space = self._find(name, self._models[name])
            if not isinstance(space, Space):
                continue
            for change in write_more(self._seed, name) if name in SPACES else ():
                assert isinstance(self._store, MemoryStore)
                try:
                    apply(space, change, self._store)
                except Exception as error:
                    self._note_failure(name, "write", error)
                    # What a failed log holds, only opening it again tells.
                    self.findings["doubtful"] = True
                    break
                self._models[name] = self._models[name].more([change])

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._note_damages("closing")
            try:
                self._store.close()
            except Exception as error:
                self._note_failure("close", "", error)
            self._store = None

    def _find(self, name: str, model: Model) -> Space | ServedSpace | None:
        assert self._store is not None
        try:
            space = self._store.space(name, create=False)
            generation = space.generation
        except NotFound as error:
            self.findings["lost"][name] = f"{error}"
            return None
        except Exception as error:
            self._note_failure(name, "open", error)
            return None
        if generation < model.generation:
            self.findings["lost"][name] = [model.generation, generation]
            self._models[name] = model.cut(generation)
        return space

    def _put_questions(self, name: str, space: Space | ServedSpace, all_of_them: bool) -> None:
        asked = _questions(self._models[name])
        if isinstance(space, ServedSpace):
            asked = [one for one in asked if one.is_recall]
        if not all_of_them:
            self._turn += 1
            every = {True: _LOOKED_UP, False: _ASKED}
            asked = [one for place, one in enumerate(asked, self._turn) if not place % every[one.is_look_up]]
        for question in asked:
            self.findings["questions"] += 1
            outcome = answer(question, space)
            if "wrong" in outcome or "unnamed" in outcome:
                kept = self.findings["wrong" if "wrong" in outcome else "unnamed"]
                kept.append({"space": name, **outcome})
            elif outcome:
                self._note_refusal(name, outcome["code"], f"{outcome['question']}: {outcome['field']}")

    def _note_failure(self, space: str, question: str, error: Exception) -> None:
        if isinstance(error, CorruptData | NewerFormat | Unavailable):
            self._note_refusal(space, error.code, f"{question}: {error.message}"[:300], error.field, error.value)
        else:
            code = f" {error.code}" if isinstance(error, EngramError) else ""
            what = f"{type(error).__name__}{code}: {error}"[:300]
            self.findings["unnamed"].append({"space": space, "question": question, "unnamed": what})

    def _note_refusal(self, space: str, code: str, what: str, field: str = "", value: str = "") -> None:
        refused = self.findings["refused"].setdefault(space, {"codes": {}, "first": what, "place": [field, value]})
        refused["codes"][code] = refused["codes"].get(code, 0) + 1

    def _note_damages(self, when: str) -> None:
        assert self._store is not None
        damages = [[damage.space, damage.file, damage.offset] for damage in self._store.damages()]
        unsound = {name: error.code for name, error in self._store.unsound.items()}
        named = {name: [error.field, error.value] for name, error in self._store.unsound.items()}
        state = {"when": when, "damages": damages[:_KEPT], "unsound": unsound, "named": named}
        self.findings["states"].append(state)


@lru_cache(maxsize=64)
def _questions(model: Model) -> list[Question]:
    return questions(model)


def main() -> None:
    """Examine what the lines on the standard input say, until they end."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        order = json.loads(line)
        # Once for all trials on copies of one directory.
        truth = models(order["way"], order["seed"], Path(order["pristine"]))
        examination = Examination(Path(order["path"]), truth, order["seed"], order["hit"], order["turn"])
        for step in order["steps"]:
            if step == "wait":
                print("waiting", flush=True)
                examination.hit = json.loads(sys.stdin.readline())
            else:
                getattr(examination, step)()
        found = examination.findings
        for kind in ("wrong", "unnamed"):
            found[f"{kind}_count"], found[kind] = len(found[kind]), found[kind][:_KEPT]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
