"""Options that take one of a few names."""

from __future__ import annotations

from typing import Any, get_args

from edge_sv.errors import unknown_name


def parse_choice(kind: str, name: str | None, choices: Any) -> Any:
    """Return a name if it is one of a Literal's; None stays None.

    Raises:
        UsageError: there is none of this name.
    """
    if name is not None and name not in get_args(choices):
        raise unknown_name(kind, name, get_args(choices))
    return name
