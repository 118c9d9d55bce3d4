"""Programs beside Python: found, or named with what installs them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_sv.emulation import tools
from edge_sv.errors import DataError, ToolMissing
from tests.emulated_programs import run_program


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools")
@pytest.mark.parametrize("name", ["qemu-system-arm", "arm-none-eabi-gcc"])
def test_a_missing_tool_is_named_with_what_installs_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(tools.shutil, "which", lambda wanted: None if wanted == name else which(wanted))
    with pytest.raises(ToolMissing, match=f"{name} is needed(.|\n)*apt-get install.*qemu-system-arm") as caught:
        run_program(tmp_path, "mps2-an386")
    assert caught.value.exit_code == 6
    assert tools.tools_missing() == [name]


def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "TIMEOUT_S", 0.2)
    with pytest.raises(DataError, match=r"sleep did not finish within 0\.2 s"):
        tools.run_tool(["sleep", "10"], folder=tmp_path)


def test_answers_and_complaints_come_back(tmp_path: Path) -> None:
    done = tools.run_tool(["sh", "-c", "pwd; echo wrong >&2; exit 3"], folder=tmp_path)
    assert (done.stdout.strip(), done.stderr, done.returncode) == (str(tmp_path), "wrong\n", 3)
