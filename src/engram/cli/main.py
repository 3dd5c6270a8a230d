"""The entry point of the command line: it runs a command and reports an error as one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from engram.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from engram.errors import EngramError
from engram.lifecycle.stop_signals import EndSignals

_USAGE_CODES: Final = frozenset(
    {
        *("invalid_setting", "unknown_setting", "unreadable_config", "invalid_toml", "invalid_thresholds"),
        *("invalid_address", "invalid_filter", "filter_size"),
    }
)


def main() -> None:
    """Run the command line of this process and exit."""
    if _command(sys.argv[1:]) == "serve":
        # Handle signals from the start, before the slow imports.
        EndSignals.of_process()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        The arguments of the command line, without the name of the program.

    Returns
    -------
    int
        The exit code: 0 for success, 1 if the engine failed, 2 for wrong usage or settings, 4 for success with damage
        found, 130 if interrupted. Commands on directories have codes of their own.
    """
    code = _report(arguments)
    try:
        _flush_output()
    except BrokenPipeError:
        return code
    except OSError as error:
        # A command that failed has said so already.
        if code == EXIT_OK:
            _complain(f"the output cannot be written: {error}")
        return code or EXIT_ERROR
    return code


def _report(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    if not debug:
        # gRPC would log errors that this program prints itself. gRPC reads the variable when it is first imported.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _complain("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_OK  # The reader has closed the pipe.
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
    """Return the name of the command that `engram.cli.app` will find in the arguments; empty if there is none."""
    words = iter(arguments)
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _run(arguments: Sequence[str]) -> int:
    try:
        import click  # noqa: PLC0415 - an optional dependency, whose absence is reported below.

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
            # A command without arguments is answered with its help, not with an error.
            error.show()
        else:
            command = "engram" if context is None else context.command_path
            _complain(f"{' '.join(error.format_message().split()).rstrip('.')}; see {command} --help")
        return error.exit_code
    except SystemExit:
        # Click ends the program itself, as if it had failed, where nobody reads the output any more; only there.
        raise BrokenPipeError from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else EXIT_OK


def _flush_output() -> None:
    """Write out what stdout still holds; drop what cannot be written, so that the process ends without a word of it."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise


def _complain(message: str) -> None:
    print(f"engram: {message}", file=sys.stderr, flush=True)
