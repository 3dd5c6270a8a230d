"""The JSON forms of requests and answers, the same in HTTP bodies and in WebSocket messages.

What clients may write is in ``docs/websocket.md``. Most modules of this package need ``msgspec``, which comes with the
extras; nothing else in `engram.wire` does.
"""
