"""What is said when a command fails, and the code that it exits with: the one place where errors become words.

Errors go to stderr. With ``--json`` stdout gets one document as well, ``{"schema_version": 1, "error": {...}}``.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer
from typer.exceptions import TyperException

from edge_sv.cli.output import print_json
from edge_sv.cli.verbosity import Verbosity, verbosity
from edge_sv.errors import DataError, EdgeSvError, UsageError, reason_of

INTERRUPTED = 130
KINDS = {
    1: "bug",
    2: "usage",
    3: "data",
    4: "does_not_fit",
    5: "accuracy_gate_failed",
    6: "tool_missing",
    INTERRUPTED: "interrupted",
}
"""Exit code -> `kind` of the error in JSON."""


def report_failures(run: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command; return its exit code, having said what went wrong.

    Args:
        run: returns an exit code, or anything else for success.
        as_json: write a failure as a JSON document on stdout, too.
    """
    try:
        code = run()
        if code == INTERRUPTED:  # typer's own answer to KeyboardInterrupt
            return _fail(EdgeSvError("interrupted"), INTERRUPTED, as_json=as_json)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer's answer to a reader that stops reading
            return 0
        raise
    except (typer.Abort, KeyboardInterrupt):
        return _fail(EdgeSvError("interrupted"), INTERRUPTED, as_json=as_json)
    except Exception as error:
        if _was_interrupted(error):
            return _fail(EdgeSvError("interrupted"), INTERRUPTED, as_json=as_json)
        found = explain(error)
        if found is None or verbosity() is Verbosity.VERBOSE:
            _say(traceback.format_exc())
        if found is None:
            text = f"edge-sv has a bug: {type(error).__name__}: {error}"
            found = EdgeSvError(text, hint="report it, with the lines above")
        return _fail(found, found.exit_code, as_json=as_json)


def explain(error: BaseException) -> EdgeSvError | None:
    """Return an error in words, None for one that no input should cause.

    What the file system, the memory and deep nesting refuse can happen wherever a file is touched.
    """
    if isinstance(error, EdgeSvError):
        return error
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        return UsageError(error.format_message(), hint=f"{context.command_path if context else 'edge-sv'} --help")
    if isinstance(error, OSError) and error.errno is not None:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space" if full else "check the place and its permissions"
        place = f"cannot use {os.fsdecode(error.filename)}" if error.filename else "cannot read or write"
        return DataError(place, details={"got": reason_of(error)}, hint=hint)
    if isinstance(error, RecursionError):
        return DataError("a file is nested too deeply to be read", hint="it is damaged, or was made to be")
    if isinstance(error, MemoryError):
        return DataError("there is not enough memory", hint="give a smaller file, or less of it at a time")
    return None


def _was_interrupted(error: BaseException) -> bool:
    """Tell whether Ctrl-C began it: a library that is just being loaded answers with an error of its own."""
    cause = error.__cause__ or error.__context__
    return cause is not None and (isinstance(cause, KeyboardInterrupt) or _was_interrupted(cause))


def _fail(error: EdgeSvError, code: int, *, as_json: bool) -> int:
    _say(f"error: {error}\n")
    if as_json:
        found = {"kind": KINDS[code], "message": error.message, "details": error.details, "hint": error.hint}
        try:
            print_json({"error": {**found, "exit_code": code}})
            sys.stdout.flush()
        except OSError:
            _silence_stdout()
    return code


def _say(text: str) -> None:
    with suppress(OSError):  # where stderr takes nothing, the exit code still tells
        sys.stderr.write(text)
        sys.stderr.flush()


def _silence_stdout() -> None:
    """Make the interpreter's last flush succeed, whose failure it would report with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
