"""Why a file's values were refused, in words: pydantic's findings without what only follows from another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

LONGEST = 60
"""Characters of a refused value that are shown."""


def explain_validation_error(error: ValidationError, *, known: Iterable[str] = ()) -> dict[str, str]:
    """Name each place and what is wrong there.

    Args:
        error: what pydantic found.
        known: keys that may be meant where one is unknown.

    Returns:
        place, `rules.0.weights`, or `file` for the whole -> words.
    """
    found, choices = error.errors(), list(known)
    places = [e["loc"] for e in found]
    return {
        ".".join(map(str, e["loc"])) or "file": _words(e, choices)
        for e in found
        if not (e["type"] == "too_short" and any(place[: len(e["loc"])] == e["loc"] != place for place in places))
    }


def _words(found: Any, known: list[str]) -> str:
    value = found["input"]
    if found["type"] == "missing":
        return "is missing"
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(found["loc"][-1]), known, n=1, cutoff=0.6)
        return f"unknown key; did you mean '{near[0]}'?" if near else "unknown key"
    message = str(found["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, dict):
        return message
    shown = repr(value)
    return f"{message} (got {shown if len(shown) <= LONGEST else f'{shown[:LONGEST]}...'})"
