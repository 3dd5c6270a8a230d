"""What is made equal before answers are compared, each with the place in Chroma's documentation that it rests on."""

from __future__ import annotations

from typing import Final

NORMALISATIONS: Final = {
    "distance": "Chroma answers distances, 1 - cosine for a cosine space; Engram answers the cosine as the score. "
    "docs.trychroma.com, Collections > Configure, 'space'",
    "ties": "Equal distances have no order of their own, so results are compared as sets of ids with their distances; "
    "Engram's have to be nearest first. docs.trychroma.com, Querying Collections > Query and Get",
    "add": "Chroma's add leaves an id that exists as it is; Engram observes only what is new. "
    "docs.trychroma.com, Collections > Add Data",
    "missing": "Chroma's update passes over ids that are not there, where Engram's changes nothing and names them; so "
    "only those that are there are updated. docs.trychroma.com, Collections > Update Data",
    "upsert": "Chroma's upsert creates what is not there, as add does, and changes the rest, as update does; for "
    "Engram these are two calls. docs.trychroma.com, Collections > Update Data",
    "nothing": "A document or metadata that was never given is None for Chroma, and empty for Engram. "
    "docs.trychroma.com, Querying Collections > Query and Get",
    "order": "Chroma has an order of get of its own, so rows are compared by id. "
    "docs.trychroma.com, Querying Collections > Query and Get",
    "numbers": "Chroma keeps int and float apart and does not compare every pair of them, so each key has one kind. "
    "docs.trychroma.com, Querying Collections > Metadata Filtering",
    "documents": "Chroma's where_document filters texts. Engram filters metadata, where a program that wants that "
    "stores the text, too. docs.trychroma.com, Querying Collections > Full Text Search",
    "rename": "Chroma's collection goes on under its new name after modify; Engram tells whoever uses a space that it "
    "is renamed, and is opened by the new name. docs.trychroma.com, Collections > Manage Collections",
}
