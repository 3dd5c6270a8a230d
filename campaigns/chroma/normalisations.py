"""What is made equal before answers are compared, each with the place in Chroma's documentation that it rests on."""

from __future__ import annotations

from typing import Final

NORMALISATIONS: Final = {
    "distance": "Chroma answers distances, 1 - cosine for a cosine space; Engram answers the cosine as the score. "
    "docs.trychroma.com, Collections > Configure, 'space'",
    "ties": "Equal distances have no order of their own, so results are compared as sets of ids with their distances. "
    "docs.trychroma.com, Querying Collections > Query and Get",
    "add": "Chroma's add leaves an id that exists as it is; Engram observes only what is new. "
    "docs.trychroma.com, Querying Collections > Add Data",
    "merge": "Chroma's update and upsert keep metadata keys and documents that are not named; an observation is whole, "
    "so what is kept is sent again. docs.trychroma.com, Querying Collections > Update Data",
    "nothing": "A document or metadata that was never given is None for Chroma, and empty for Engram. "
    "docs.trychroma.com, Querying Collections > Query and Get, 'Results Shape'",
    "order": "Chroma has an order of get of its own, so rows are compared by id. "
    "docs.trychroma.com, Querying Collections > Query and Get",
    "numbers": "Chroma keeps int and float apart and does not compare every pair of them, so each key has one kind. "
    "docs.trychroma.com, Querying Collections > Metadata Filtering",
    "create": "A collection that is deleted and made again is a new space. "
    "docs.trychroma.com, Collections > Manage Collections",
}
