"""Flow control messages to what they ask for."""

from __future__ import annotations

import math

import pytest

from engram.errors import InvalidInput
from engram.server.protobuf.flows import decode_flow
from engram.streaming.sessions.flow_control import Flow, FlowAction
from engram.wire import engram_pb2 as pb


def test_every_action_has_its_meaning() -> None:
    actions = pb.FlowControl.Action
    for number in actions.values():
        name = actions.Name(number).removeprefix("ACTION_").lower()
        expected = FlowAction.NONE if name == "unspecified" else FlowAction(name)
        assert decode_flow(pb.FlowControl(action=number)) == Flow(expected)


def test_an_action_of_the_future_asks_for_nothing() -> None:
    message = pb.FlowControl.FromString(b"\x08\x63")
    assert decode_flow(message).action is FlowAction.NONE


def test_rate_and_room_are_passed_on() -> None:
    message = pb.FlowControl(action=pb.FlowControl.ACTION_BUFFER_STATUS, buffer_remaining=-3, preferred_rate=2.5)
    assert decode_flow(message) == Flow(FlowAction.BUFFER_STATUS, -3, 2.5)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -1.0])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_flow(pb.FlowControl(preferred_rate=rate))
    assert caught.value.code == "invalid_rate"
