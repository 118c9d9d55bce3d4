"""Programs on emulated boards: they boot, count exactly, crash in words, and reach nothing of this computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.emulation import FirmwareRun, load_board, qemu, run_firmware
from edge_sv.errors import DataError
from edge_sv.package.target import list_targets
from edge_sv.system.sandbox import is_strict
from tests.emulated_programs import run_c, run_program

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools")]
BOARDS = [target.name for target in list_targets() if target.emulator]
UNALIGNED = r"""
#include "emulator.h"
int main(int argc, char *argv[])
{
    (void)argv;
    static uint32_t words[2];
    volatile uint32_t *const odd = (volatile uint32_t *)(void *)((uint8_t *)words + argc);
    return (int)*odd;
}
"""
DEEP = r"""
#include "emulator.h"
static int deep(volatile uint8_t *above)
{
    volatile uint8_t room[512];
    room[0] = above[0];
    return above[0] == 99 ? 0 : deep(room) + room[0];
}
int main(int argc, char *argv[])
{
    (void)argv;
    volatile uint8_t one = (uint8_t)argc;
    return deep(&one);
}
"""
HOSTILE = r"""
#include <string.h>
#include "emulator.h"
static int call(int number, const void *argument)
{
    register int r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
int main(int argc, char *argv[])
{
    (void)argc; (void)argv; (void)call;
    BODY
    return 0;
}
"""


def test_what_a_program_complains_of_is_the_end_of_its_output() -> None:
    def complaint(output: str) -> str:
        return FirmwareRun(output, 3, 1, 1, 1, 1, 1).complaint

    assert complaint("error no such file\n") == "no such file"
    assert complaint(" \n") == "exit code 3"
    assert complaint("noise\n" * 100_000 + "the end\n").endswith("noise\nthe end")
    assert len(complaint("x" * 1_000_000)) == 200


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_boots_and_counts_instructions(board: str, tmp_path: Path) -> None:
    run = run_program(tmp_path, board)
    text, counted, root = run.output.splitlines()
    assert text == "from a file"
    assert int(counted) == pytest.approx(3_000_003, abs=500)  # 10^6 times 3 instructions
    assert int(root) == 1414213
    assert run.exit_code == 7
    assert 3_000_003 < run.instructions < 3_050_000
    assert 0 < run.stack_bytes < 2048
    assert run.flash_bytes < 32_768


def test_two_runs_count_the_same(tmp_path: Path) -> None:
    assert run_program(tmp_path, "mps2-an386") == run_program(tmp_path, "mps2-an386")


def test_a_fault_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"crashed on the emulated 'rp2040'(.|\n)*fault, CFSR 0x01000000"):
        run_c(tmp_path, "rp2040", UNALIGNED)
    assert run_c(tmp_path, "mps2-an385", UNALIGNED).exit_code == 0, "an M3 may read at any address"


def test_a_stack_that_overflows_is_not_silent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="crashed on the emulated 'mps2-an386'"):
        run_c(tmp_path, "mps2-an386", DEEP)


def _run(folder: Path, body: str, files: dict[str, bytes] | None = None) -> FirmwareRun:
    (folder / "main.c").write_text(HOSTILE.replace("BODY", body))
    return run_firmware([folder / "main.c"], [], load_board("mps2-an386"), files=files)


def _two_words(operation: int, text: str) -> str:
    """Return a semihosting call whose argument is a text and its length; the program's exit code is 1 if it works."""
    block = f'const char *text = "{text}"; const uintptr_t block[] = {{(uintptr_t)text, strlen(text)}};'
    return f"{block} return call({operation}, block) == 0 ? 1 : 0;"


def test_its_own_files_are_read_and_written(tmp_path: Path) -> None:
    body = """char text[4] = {0};
    const int in = emulator_open_read("in.txt");
    emulator_read(in, text, 3);
    const int out = emulator_open_write("out.txt");
    emulator_write_bytes(out, text, 3);
    emulator_close(out);
    emulator_write(text);
    return in >= 0 && out >= 0 ? 5 : 0;"""
    run = _run(tmp_path, body, {"in.txt": b"abc"})
    assert (run.output, run.exit_code) == ("abc", 5)


@pytest.mark.skipif(not is_strict(), reason="this kernel has no Landlock (Linux 5.13 and later)")
@pytest.mark.parametrize("relative", [False, True])
def test_other_files_are_neither_read_nor_written_nor_removed(tmp_path: Path, relative: bool) -> None:
    secret, made = tmp_path / "secret", tmp_path / "made"
    secret.write_text("private")
    up = "../" * 12 if relative else "/"
    opened = f'emulator_open_read("{up}{str(secret)[1:]}") >= 0 || emulator_open_update("{up}{str(secret)[1:]}") >= 0'
    assert _run(tmp_path, f"return {opened};").exit_code == 0
    assert _run(tmp_path, f'return emulator_open_write("{up}{str(made)[1:]}") >= 0;').exit_code == 0
    assert _run(tmp_path, _two_words(0x0E, f"{up}{str(secret)[1:]}")).exit_code == 0
    assert secret.read_text() == "private" and not made.exists()


@pytest.mark.skipif(not is_strict(), reason="this kernel has no Landlock (Linux 5.13 and later)")
def test_it_runs_no_command(tmp_path: Path) -> None:
    made = tmp_path / "made"
    try:
        _run(tmp_path, _two_words(0x12, f"touch {made}"))
    except DataError as error:  # QEMU is ended for asking
        assert "crashed" in error.message
    assert not made.exists()


@pytest.mark.parametrize("body", ['emulator_write("noise\\n")', "emulator_write_bytes(out, text, 1024)"])
def test_what_it_writes_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(qemu, "FILE_BYTES", 1 << 16)
    monkeypatch.setattr(qemu, "TIMEOUT_S", 3.0)
    start = 'static char text[1024]; const int out = emulator_open_write("x"); (void)text; (void)out;'
    with pytest.raises(DataError, match=r"crashed on the emulated|did not end"):
        _run(tmp_path, f"{start} for (;;) {body};")


def test_figures_of_any_length_are_no_figures(tmp_path: Path) -> None:
    """A program that ends by itself may write what the emulation writes behind it."""
    body = """static char digits[5001];
    memset(digits, '9', 5000);
    emulator_write("\\nemulator: instructions "); emulator_write(digits); emulator_write("\\nemulator: stack 1\\n");
    const uintptr_t block[] = {0x20026u, 0u};
    return call(0x20, block);"""
    with pytest.raises(DataError, match="crashed on the emulated 'mps2-an386'") as caught:
        _run(tmp_path, body)
    assert len(str(caught.value)) < 600


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "TIMEOUT_S", 1.0)
    with pytest.raises(DataError, match="did not end within 1 s"):
        _run(tmp_path, 'for (;;) { __asm__ volatile("nop"); }')
