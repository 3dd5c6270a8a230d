"""Which form of an answer a client wants, as its header ``Accept`` says."""

from __future__ import annotations

from starlette.requests import Request


def accepts(request: Request, media_type: str) -> bool:
    """Return whether the client names `media_type` itself; what takes everything gets the usual form."""
    for item in request.headers.get("accept", "").lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name == media_type and not any(part.replace(" ", "") in ("q=0", "q=0.0") for part in parameters):
            return True
    return False
