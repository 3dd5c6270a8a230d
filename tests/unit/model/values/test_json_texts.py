"""JSON that readers would understand differently is refused."""

from __future__ import annotations

from typing import Any

import pytest

from engram.model.values.json_texts import holds_half_pair, strict_decoder


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a":1,"b":{"k":1,"c":2,"k":3}}', "key 'k' occurs twice"),
        ('{"a":1e999}', "1e999"),
        ('{"a":-1e999}', "-1e999"),
        ('{"a":NaN}', "NaN"),
        ("[-Infinity]", "-Infinity"),
    ],
)
def test_what_is_not_understood_alike_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"occurs twice|beyond|no number") as refused:
        strict_decoder()(text)
    assert named in str(refused.value)


def test_whole_numbers_are_read_as_the_caller_likes() -> None:
    assert strict_decoder()('{"a":[1,2.5],"b":{"a":null}}') == {"a": [1, 2.5], "b": {"a": None}}
    assert strict_decoder(lambda digits: -int(digits))("[7,0.5]") == [-7, 0.5]


@pytest.mark.parametrize(
    ("text", "half"), [(r'"\ud800"', True), (r'"\ud83d\ude00"', False), (r'"\\ud800"', False), ('"plain"', False)]
)
def test_half_of_a_pair_is_found(text: str, half: bool) -> None:
    value: Any = strict_decoder()(text)
    assert holds_half_pair(text, value) is half
