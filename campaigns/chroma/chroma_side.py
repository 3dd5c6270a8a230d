"""A collection of Chroma, as a program uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chromadb
from chromadb.config import Settings

from campaigns.chroma.program import DIM, IDS

Row = tuple[str, str, dict[str, Any]]
"""Id, document and metadata."""


class ChromaSide:
    """One collection in memory, of cosines, which is searched whole."""

    def __init__(self) -> None:
        self._client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False, allow_reset=True))
        self._client.reset()
        self.create()

    def create(self) -> None:
        """Delete the collection and make it again."""
        if any(each.name == "programs" for each in self._client.list_collections()):
            self._client.delete_collection("programs")
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
        self._collection = self._client.create_collection(
            "programs", configuration=configuration, embedding_function=None
        )
        # Chroma takes the dimension from the first row, and refuses to search before.
        self._collection.upsert(ids=["first"], embeddings=[[1.0] * DIM])
        self._collection.delete(ids=["first"])

    def upsert(self, step: Any) -> None:
        """Store rows; known ones get what is named."""
        self._collection.upsert(
            ids=step["ids"], embeddings=step["vectors"], documents=step["documents"], metadatas=step["metadata"]
        )

    def add(self, step: Any) -> None:
        """Store rows that are not there."""
        self._collection.add(
            ids=step["ids"], embeddings=step["vectors"], documents=step["documents"], metadatas=step["metadata"]
        )

    def update(self, step: Any) -> None:
        """Change the metadata of rows that are there."""
        self._collection.update(ids=step["ids"], metadatas=step["metadata"])

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows by id."""
        self._collection.delete(ids=list(ids))

    def delete_where(self, where: Any) -> None:
        """Delete the rows that pass a filter."""
        self._collection.delete(where=where)

    def get(self, ids: Sequence[str]) -> list[Row]:
        """Return rows by id."""
        return _rows(self._collection.get(ids=list(ids), include=["documents", "metadatas"]))

    def get_where(self, where: Any) -> list[Row]:
        """Return the rows that pass a filter."""
        return _rows(self._collection.get(where=where, include=["documents", "metadatas"]))

    def query(self, vector: Sequence[float], where: Any) -> list[tuple[str, float]]:
        """Return the ids and distances of all rows that pass a filter."""
        count = min(len(IDS), self._collection.count())
        if not count:
            return []
        found = self._collection.query(
            query_embeddings=[list(vector)], n_results=count, where=where, include=["distances"]
        )
        distances: Any = found["distances"]
        return sorted(zip(found["ids"][0], distances[0], strict=True))

    def count(self) -> int:
        """Return how many rows there are."""
        return int(self._collection.count())


def _rows(found: Any) -> list[Row]:
    rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
    return sorted(((id, document or "", dict(known or {})) for id, document, known in rows), key=lambda row: row[0])
