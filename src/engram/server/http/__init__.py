"""The HTTP side of a server: one port for requests, WebSockets and the page. Needs Starlette and uvicorn."""
