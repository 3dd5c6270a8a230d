"""The MiniLM embedder as far as it can be tested without its extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engram.errors import InvalidInput, MissingExtra, Unavailable
from engram.text import get_embedder, minilm


def test_any_dimension_but_its_own_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        get_embedder("minilm", 768)
    assert (caught.value.code, caught.value.limit, caught.value.value) == ("dimension_mismatch", "384", "768")


@pytest.mark.parametrize("package", ["tokenizers", "onnxruntime"])
def test_a_missing_package_is_answered_with_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules makes an import fail as if the package were not there.
    monkeypatch.setitem(sys.modules, package, None)
    load = minilm._load_tokenizer if package == "tokenizers" else minilm._load_session
    with pytest.raises(MissingExtra) as caught:
        load.__wrapped__()
    assert "engram-stream[minilm]" in caught.value.message
    assert caught.value.value == package


def test_unreadable_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        minilm._read_weights(tmp_path / "model.onnx")
    assert caught.value.code == "weights"
    assert "No such file" in caught.value.message


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not the model")
    with pytest.raises(Unavailable, match="SHA-256"):
        minilm._read_weights(path)
