"""The entry point: runs a command and turns whatever goes wrong into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from engram.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from engram.errors import EngramError
from engram.lifecycle.stop_signals import EndSignals

_USAGE_CODES: Final = frozenset(
    {"invalid_setting", "unknown_setting", "unreadable_config", "invalid_toml", "invalid_address"}
)


def main() -> None:
    """Run the command line of this process and exit."""
    if _command(sys.argv[1:]) == "serve":
        # Before all that it takes a while to import.
        EndSignals.of_process()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns
    -------
    The exit code: 0 done, 1 the engine could not, 2 the command was not understood, 4 done and damage was found, 130
    interrupted.
    """
    debug = "--debug" in arguments
    if not debug:
        # gRPC's own log lines tell in its words what we tell in ours; it reads this when it is first imported.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _complain("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; and there is nobody to flush the rest to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except EngramError as error:
        if debug:
            raise
        _complain(error.message)
        return EXIT_USAGE if error.code in _USAGE_CODES else EXIT_ERROR
    except Exception as error:
        if debug:
            raise
        _complain(f"unexpected {type(error).__name__}: {error}; --debug shows where")
        return EXIT_ERROR


def _command(arguments: Sequence[str]) -> str:
    """The name of the command among the arguments, as `engram.cli.app` will find it; empty if there is none."""
    words = iter(arguments)
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _run(arguments: Sequence[str]) -> int:
    try:
        import click  # noqa: PLC0415 - an optional dependency, whose absence deserves a sentence of its own.

        from engram.cli.app import app  # noqa: PLC0415 - see above.
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("click", "rich"):
            raise
        _complain(f"the command line needs the package {package}; install it with: pip install 'engram-stream[server]'")
        return EXIT_ERROR
    try:
        code = app.main(list(arguments), prog_name="engram", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            # Not an error so much as a question.
            error.show()
        else:
            command = "engram" if context is None else context.command_path
            _complain(f"{' '.join(error.format_message().split()).rstrip('.')}; see {command} --help")
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else EXIT_OK


def _complain(message: str) -> None:
    print(f"engram: {message}", file=sys.stderr, flush=True)
