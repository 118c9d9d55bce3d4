"""Say in words that a program is larger than a part."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge_sv.emulation.board import Board
from edge_sv.errors import DoesNotFit

_OVERFLOW = re.compile(r"region `(FLASH|RAM)' overflowed by (\d+) bytes")
_KINDS = {"FLASH": "tTrR", "RAM": "bBdD"}
_HINTS = {
    "FLASH": "a smaller net, a recipe with fewer bits, or a larger part",
    "RAM": "the streaming plan, a smaller net, or a larger part",
}
_LISTED = 3
_NOT_THE_PACKAGE = "emulator_"


def does_not_fit(
    complaint: str, board: Board, symbols: Sequence[tuple[str, str, int]], *, stack_bytes: int
) -> DoesNotFit:
    """Turn the linker's complaint into an error.

    Args:
        complaint: what the linker wrote.
        board: the part.
        symbols: what is in the program: (nm's letter, name, bytes), largest first.
        stack_bytes: room that was asked for the stack.
    """
    over = {region: int(count) for region, count in _OVERFLOW.findall(complaint)}
    limits = {"FLASH": board.flash_bytes, "RAM": board.ram_bytes}
    names = {"FLASH": "flash", "RAM": "RAM"}
    details: dict[str, str] = {}
    for region, excess in over.items():
        details[names[region]] = f"needs {limits[region] + excess:,} bytes of {limits[region]:,}"
        mine = [(name, size) for kind, name, size in symbols if kind in _KINDS[region]]
        largest = [f"{name} {size:,}" for name, size in mine if not name.startswith(_NOT_THE_PACKAGE)][:_LISTED]
        if region == "RAM":
            largest.append(f"stack {stack_bytes:,}")
        details[f"most {names[region]}"] = ", ".join(largest)
    too_many = " and ".join(f"{count:,} bytes of {names[region]}" for region, count in over.items())
    return DoesNotFit(
        f"the program does not fit '{board.name}': {too_many or 'some memory'} too many",
        details=details,
        hint=" / ".join(_HINTS[region] for region in over) or None,
    )
