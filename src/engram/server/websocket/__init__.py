"""The WebSocket ``/v1/stream``: one session and any number of calls on one connection; see ``docs/websocket.md``."""
