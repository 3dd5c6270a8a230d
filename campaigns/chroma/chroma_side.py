"""A collection of Chroma, as a program uses it."""

from __future__ import annotations

from typing import Any

import chromadb
from chromadb.config import Settings

from campaigns.chroma.program import DIM, IDS, NAMES, Step

Row = tuple[str, str, dict[str, Any]]
"""Id, document and metadata."""


class ChromaSide:
    """One collection in memory, of cosines, which is searched whole."""

    def __init__(self) -> None:
        self._client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False, allow_reset=True))
        self._client.reset()
        self._make(NAMES[0])

    def create(self, step: Step) -> None:
        """Delete the collection and make it again."""
        name = self._collection.name
        self._client.delete_collection(name)
        self._make(name)

    def rename(self, step: Step) -> None:
        """Give the collection its other name."""
        self._collection.modify(name=next(name for name in NAMES if name != self._collection.name))

    def names(self, step: Step) -> list[str]:
        """Return the names of all collections."""
        return sorted(collection.name for collection in self._client.list_collections())

    def upsert(self, step: Step) -> None:
        """Store rows; known ones get what is named."""
        self._collection.upsert(**_columns(step))

    def add(self, step: Step) -> None:
        """Store rows that are not there."""
        self._collection.add(**_columns(step))

    def update(self, step: Step) -> None:
        """Change what is named of rows that are there."""
        self._collection.update(**_columns(step))

    def delete(self, step: Step) -> None:
        """Delete rows by id."""
        self._collection.delete(ids=step["ids"])

    def delete_where(self, step: Step) -> None:
        """Delete the rows that pass filters."""
        self._collection.delete(**_conditions(step))

    def get(self, step: Step) -> list[Row]:
        """Return rows by id."""
        return _rows(self._collection.get(ids=step["ids"], include=["documents", "metadatas"]))

    def get_where(self, step: Step) -> list[Row]:
        """Return the rows that pass filters."""
        return _rows(self._collection.get(**_conditions(step), include=["documents", "metadatas"]))

    def query(self, step: Step) -> list[tuple[str, float]]:
        """Return the ids and distances of all rows that pass filters."""
        count = min(len(IDS), self._collection.count())
        if not count:
            return []
        found = self._collection.query(
            query_embeddings=[step["vector"]], n_results=count, **_conditions(step), include=["distances"]
        )
        distances: Any = found["distances"]
        return list(zip(found["ids"][0], distances[0], strict=True))

    def count(self, step: Step) -> int:
        """Return how many rows there are."""
        return int(self._collection.count())

    def _make(self, name: str) -> None:
        # Chroma's graph missed a row once in forty runs of one program; with more neighbours it finds all of them.
        configuration: Any = {
            "hnsw": {
                "space": "cosine",
                "ef_search": 100,
                "ef_construction": 200,
                "max_neighbors": 64,
                "batch_size": 5000,
                "sync_threshold": 10000,
            }
        }
        self._collection = self._client.create_collection(name, configuration=configuration, embedding_function=None)
        # Chroma takes the dimension from the first row, and refuses to search before.
        self._collection.upsert(ids=["first"], embeddings=[[1.0] * DIM])
        self._collection.delete(ids=["first"])


def _columns(step: Step) -> dict[str, Any]:
    return {
        "ids": step["ids"],
        "embeddings": step["vectors"],
        "documents": step["documents"],
        "metadatas": step["metadata"],
    }


def _conditions(step: Step) -> dict[str, Any]:
    return {name: step[name] for name in ("ids", "where", "where_document") if step[name] is not None}


def _rows(found: Any) -> list[Row]:
    rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
    return sorted(((id, document or "", dict(known or {})) for id, document, known in rows), key=lambda row: row[0])
