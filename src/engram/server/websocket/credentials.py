"""What a client says about itself when it opens a WebSocket, which in a browser cannot set headers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engram.errors import Unauthenticated
from engram.server.authorization import Caller

SUBPROTOCOL: Final = "engram.v1"
_BEARER: Final = "engram.bearer."
_OFFERED: Final = "sec-websocket-protocol"


def with_credential(caller: Caller, offered: Sequence[str]) -> Caller:
    """Return `caller` with the credential that was offered as a subprotocol, unless there is a header with one.

    Parameters
    ----------
    caller
        The caller, with the headers as metadata.
    offered
        The subprotocols that the client offered.

    Raises
    ------
    Unauthenticated
        If the credential is no base64url of a text, or there are several.
    """
    metadata: Mapping[str, Any] = {name: value for name, value in caller.metadata.items() if name != _OFFERED}
    tokens = [name.removeprefix(_BEARER) for name in offered if name.startswith(_BEARER)]
    if not tokens or "authorization" in metadata:
        return Caller(caller.peer, metadata)
    try:
        (text,) = tokens
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        if not token or not token.isprintable():
            raise ValueError
    except (ValueError, binascii.Error):
        # The message does not show it: it may be most of a secret.
        raise Unauthenticated(
            f"a credential is offered as one subprotocol {_BEARER}<base64url of the token>",
            field="Sec-WebSocket-Protocol",
            limit="base64url",
        ) from None
    return Caller(caller.peer, {**metadata, "authorization": f"Bearer {token}"})
