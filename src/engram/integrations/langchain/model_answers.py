"""Answers of language models, which LangChain calls generations, as texts."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from typing import Any, Final

from langchain_core.load import dumpd, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk

_logger: Final = logging.getLogger(__name__)

# A text says of which classes it is made, and anybody who can write to the space may have written it. These classes
# hold what they are given, and do nothing else.
_ALLOWED: Final[tuple[Any, ...]] = (
    AIMessage,
    AIMessageChunk,
    ChatGeneration,
    ChatGenerationChunk,
    ChatMessage,
    ChatMessageChunk,
    Generation,
    GenerationChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)

with warnings.catch_warnings():
    # LangChain marks `loads` as beta, and says so when a process calls it for the first time, which is here.
    warnings.simplefilter("ignore")
    loads("[]", allowed_objects=())


def encode_answer(generations: Sequence[Generation]) -> str:
    """Return generations as a text of ASCII, in LangChain's own form of JSON."""
    return json.dumps([dumpd(generation) for generation in generations])


def decode_answer(text: str) -> list[Generation] | None:
    """Return the generations in a text; None, which is logged, if it has anything else.

    No classes are made but those of generations and messages, and no secrets are read from the environment.
    """
    try:
        found = loads(text, allowed_objects=_ALLOWED, secrets_from_env=False)
    except Exception as error:
        # The text may be anybody's, and what LangChain and its classes raise about it may be anything.
        _logger.warning("a cached answer cannot be read (%s), and counts as missing", type(error).__name__)
        return None
    if isinstance(found, list) and all(isinstance(each, Generation) for each in found):
        return found
    _logger.warning("a cached answer has something else than generations, and counts as missing")
    return None
