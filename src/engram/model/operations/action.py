"""The actions that an authorizer allows or refuses."""

from __future__ import annotations

from enum import Enum


class Action(Enum):
    """What a call wants to do, as an authorizer distinguishes it.

    Attributes
    ----------
    OBSERVE
        Store observations, in a session or without one, and change those that are there.
    RECALL
        Recall, follow, look up by id, and take snapshots.
    FORGET
        Delete observations.
    CREATE
        Create a space.
    DROP
        Drop a space, with all that is in it.
    NAME
        Rename a space, and set and drop its aliases. It is needed for the new name, too.
    DESCRIBE
        Describe the server, list its spaces and their aliases, and describe one space. Whoever may OBSERVE or RECALL in
        a space may have that space described without DESCRIBE, too, because a client needs its settings.
    METRICS
        Read the metrics of the server. Whoever may DESCRIBE the server may read them, too.
    """

    OBSERVE = "observe"
    RECALL = "recall"
    FORGET = "forget"
    CREATE = "create"
    DROP = "drop"
    NAME = "name"
    DESCRIBE = "describe"
    METRICS = "metrics"
