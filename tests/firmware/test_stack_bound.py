"""The bound on the stack is printed, and stays within what the linker scripts reserve."""

from __future__ import annotations

import re

from tests.firmware.conftest import REPOSITORY, run, tool


def test_bounds_every_entry_point() -> None:
    tool("arm-none-eabi-gcc")
    lines = run([REPOSITORY / "scripts" / "stack-bound"]).splitlines()
    bounds = {name: int(most) for name, most in re.findall(r"^(\w+) +(\d+) bytes", "\n".join(lines), re.MULTILINE)}
    assert {"esv_init", "esv_feed", "esv_finish", "esv_enroll", "esv_verify", "esv_protocol_receive"} <= set(bounds)
    assert bounds["esv_feed"] < bounds["esv_protocol_receive"] < 2048
    assert any("siphash" in line for line in lines if line.startswith("esv_enroll"))  # the call graph was followed
