"""The errors a user can meet, each with the exit code that the command line ends with.

An error says what happened, where, what it got and what to do::

    error: layer 'stage3_block2_conv1' needs 4-bit weights; target 'cortex-m0' runs 8
      recipe   static_wi4_ai8, rule 3
      try      set weights = 8 in that rule
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class EdgeSvError(Exception):
    """Base of all errors that are told in words, without a traceback.

    Args:
        message: one sentence: what happened, with the offending name or value.
        details: label -> text, printed one a line below the message, in this order.
        hint: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, details: Mapping[str, str] | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.hint = hint

    def __str__(self) -> str:
        rows = [*self.details.items(), *([("try", self.hint)] if self.hint else [])]
        width = max((len(label) for label, _ in rows), default=0)
        lines = [printable(self.message)]
        for label, text in rows:
            lines.append(f"  {printable(label):<{width}}   " + "\n".join(map(printable, text.split("\n"))))
        return "\n".join(lines)


class UsageError(EdgeSvError):
    """The command line or a configuration asks for something that does not exist."""

    exit_code = 2


class DataError(EdgeSvError):
    """A recording, list, model, print or package cannot be read or used."""

    exit_code = 3


class DoesNotFit(EdgeSvError):
    """The model is too large for a budget or a target."""

    exit_code = 4


class AccuracyGateFailed(EdgeSvError):
    """A converted model does not compute what its source computes."""

    exit_code = 5


class ToolMissing(EdgeSvError):
    """A package or program that this command needs is not installed."""

    exit_code = 6


def printable(text: str) -> str:
    """Escape what would move a terminal's cursor, change its colors or is no text: a file may have any name."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def reason_of(error: BaseException) -> str:
    """Say why in the words of the system or the library, without its error number and file name."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not in a list, with the nearest match."""
    choices = sorted(set(known))
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.4)
    return UsageError(
        f"unknown {kind} '{name}'",
        details={"known": ", ".join(choices) or "none"},
        hint=f"did you mean '{near[0]}'?" if near else None,
    )
