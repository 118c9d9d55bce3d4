"""The programs that are needed beside Python: the cross compiler and the emulator."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_sv.errors import DataError, ToolMissing

INSTALL = (
    "sudo apt-get install --no-install-recommends qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi, "
    "or scripts/install-tools"
)
TIMEOUT_S = 600
PURPOSE = {"qemu-system-arm": "emulate a Cortex-M", "arm-none-eabi-gcc": "compile for a Cortex-M"}


def find_tool(name: str) -> str:
    """Return a program's path.

    Raises:
        ToolMissing: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        purpose = PURPOSE.get(name, "work on a Cortex-M's programs")
        raise ToolMissing(f"{name} is needed to {purpose}, and is not installed", hint=INSTALL)
    return path


def tools_missing() -> list[str]:
    """Name the programs that `edge-sv emulate` needs and that are not installed."""
    return [name for name in PURPOSE if shutil.which(name) is None]


def run_tool(command: Sequence[str | Path], *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; its answer and its complaints come back as text.

    Raises:
        ToolMissing: it is not installed.
        DataError: it does not finish.
    """
    name, *arguments = map(str, command)
    whole = [find_tool(name), *arguments]
    try:
        return subprocess.run(
            whole, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{name} did not finish within {TIMEOUT_S} s", details={"got": arguments[-1]}) from error
