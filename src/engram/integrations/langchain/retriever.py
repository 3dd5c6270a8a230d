"""`EngramRetriever`: LangChain's retriever on a space that embeds texts itself."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from engram.integrations.langchain.documents import as_document
from engram.model.cue import NO_FILTER, By, Cue
from engram.model.filters.filter_like import FilterLike


class EngramRetriever(BaseRetriever):
    """A retriever that recalls documents from a space by a text.

    Parameters
    ----------
    space
        A space of `engram.connect`. To recall by similarity it has an embedder; by words it needs none.
    k
        How many documents are returned; ``invoke(query, k=...)`` may ask for others.
    by
        ``"similarity"``, ``"words"`` or ``"both"``; see `Cue`.
    filter
        Conditions that every document meets.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    space: Any
    k: int = 4
    by: By = "similarity"
    filter: Any = NO_FILTER

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: FilterLike | None = None,
    ) -> list[Document]:
        cue = Cue(text=query, by=self.by, filter=self.filter if filter is None else filter)
        return [as_document(hit) for hit in self.space.recall(cue, self.k if k is None else k)]
