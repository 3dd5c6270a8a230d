"""The way from a space that a caller keeps to the engine behind it, which changes when the space rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import ref

from engram.errors import EngramError
from engram.model.spaces import SpaceConfig
from engram.store.naming.space_life import SpaceLife

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine


class SpaceAccess:
    """Returns the engine of one space, opened again if the space has rested. Any thread may use it.

    Parameters
    ----------
    config
        Settings of the space.
    find
        Returns the engine of the space with the given name, opened if need be. It keeps the store alive.
    life
        Ends when the space is dropped or renamed. The handle never becomes one of another space then.
    engine
        The engine, if the space is open.
    """

    __slots__ = ("_find", "_opened", "config", "life")

    def __init__(
        self,
        config: SpaceConfig,
        find: Callable[[str], SpaceEngine],
        life: SpaceLife,
        engine: SpaceEngine | None = None,
    ) -> None:
        self.config: SpaceConfig = config
        self.life: SpaceLife = life
        self._find = find
        # The store keeps the engine alive as long as it is open, and nothing else should.
        self._opened: ref[SpaceEngine] | None = None if engine is None else ref(engine)

    @classmethod
    def to(cls, engine: SpaceEngine) -> SpaceAccess:
        """Return the way to the space of an engine."""
        return cls(engine.config, engine.find_open or (lambda _: engine), engine.life, engine)

    @property
    def open_engine(self) -> SpaceEngine | None:
        """The engine that was used last; None if it rests. This is no use."""
        opened = None if self._opened is None else self._opened()
        return None if opened is None or opened.occupancy.rests else opened

    def engine(self) -> SpaceEngine:
        """Return the engine.

        Raises
        ------
        FailedPrecondition
            If the space has been dropped or renamed.
        EngramError
            If the space cannot be opened.
        """
        opened = self.open_engine
        if opened is None:
            opened = self.life.during(lambda: self._find(self.config.name))
            self._opened, self.config = ref(opened), opened.config
        opened.occupancy.touched = True
        return opened

    @contextmanager
    def held(self) -> Iterator[SpaceEngine]:
        """Return the engine, which does not come to rest during the body.

        Raises
        ------
        FailedPrecondition
            Also in place of any error of the body, if the space has been dropped or renamed meanwhile.
        EngramError
            As `engine`.
        """
        engine = self.engine()
        # In a forked child, a lock may be held for ever by a thread that is not there.
        engine.check_process()
        with engine.kept_open() as space:
            try:
                yield space
            except EngramError:
                # Whatever it was, the end of the space explains it.
                self.life.check()
                raise
