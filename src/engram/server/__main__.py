"""``python -m engram.server``: the server alone, without the rest of the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engram.errors import EngramError, InvalidInput
from engram.lifecycle.stop_signals import EndSignals
from engram.logs.setup import set_up_logging


def main() -> None:
    """Parse the arguments and serve until a signal stops the process."""
    signals = EndSignals.of_process()
    # Imported here because these imports take a while, and signals must be handled from the start.
    from engram.server import ServerOptions, serve, tune_allocator  # noqa: PLC0415

    # Options that are not given are left out, so that `ServerOptions` alone has the defaults.
    parser = argparse.ArgumentParser(
        prog="python -m engram.server",
        description="Serve a store over gRPC and HTTP.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--data", type=_directory, default=None, help="directory of the store; without it, everything is in memory only"
    )
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port of the gRPC endpoint; 0 takes a free port")
    parser.add_argument("--port-file", type=Path, help="file that the ports are written to once the server is ready")
    parser.add_argument("--no-http", dest="http", action="store_false", help="serve gRPC alone")
    parser.add_argument("--http-port", type=int, help="port of the HTTP endpoint; 0 takes a free port")
    parser.add_argument("--allow-remote", action="store_true", help="permit a host that other machines can reach")
    arguments = parser.parse_args()
    try:
        options = ServerOptions(
            ready=_say_ready,
            http_ready=_say_http_ready,
            http_required="http_port" in vars(arguments),
            **vars(arguments),
        )
    except InvalidInput as error:
        parser.error(f"{error.message} (see --allow-remote)" if error.field == "host" else error.message)
    with signals.held():
        tune_allocator()
    set_up_logging("info", "console")
    try:
        serve(options)
    except EngramError as error:
        sys.exit(f"engram: {error.message}")


def _directory(text: str) -> Path:
    # `Path("")` is the working directory, which an empty argument hardly means.
    if not text:
        raise argparse.ArgumentTypeError("the empty path names no directory; pass . for the working directory")
    return Path(text)


def _say_ready(address: str) -> None:
    print(f"engram is ready at {address}", flush=True)


def _say_http_ready(address: str) -> None:
    print(f"engram answers HTTP at {address}", flush=True)


if __name__ == "__main__":
    main()
