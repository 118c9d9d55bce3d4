"""Convolutions in C give what plain sums in Python give: under sanitizers here, at each level on emulated cores."""

from __future__ import annotations

import subprocess
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from edge_sv_converters.c_source.operators import conv
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.emulation import load_board
from edge_sv.emulation.program import COMPILE_FLAGS, emulator_sources
from tests.conv_cases import FORMATS, SOURCES, Case, Shape, expected, random_case, read_outputs, run_cases, write_cases
from tests.firmware.conftest import COMMON, REPOSITORY, WARNINGS, run, tool

CORES = {
    "microbit": "C99, no unaligned words",
    "mps2-an386": "DSP",
    "mps2-an505": "DSP, without FPU",
    "mps3-an547": "MVE",
}


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Small convolutions of every kind."""
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    same = draw(st.booleans())
    least = (1, 1) if same else span
    height, width = least[0] + draw(st.integers(0, 4)), least[1] + draw(st.integers(0, 20))
    depth = draw(st.integers(1, 20))
    depthwise = draw(st.integers(0, 4)) == 0
    channels = depth * draw(st.integers(1, 2)) if depthwise else draw(st.integers(1, 9))
    return Shape(
        height, width, depth, channels, kernel, stride, dilation, same,
        "int8" if depthwise else draw(st.sampled_from(FORMATS)), depthwise,
    )  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that runs cases, for this computer, with sanitizers."""
    path = tmp_path_factory.mktemp("conv") / "conv_cases"
    flags = ["-std=c99", "-O1", *WARNINGS, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    files = REPOSITORY / "tests" / "firmware" / "host" / "emulator_files.c"
    include = ["-I", COMMON / "include", "-I", COMMON / "src", "-I", emulator_sources()]
    run([tool("gcc"), *flags, *include, *SOURCES, COMMON / "tests" / "conv_cases.c", files, "-o", path])
    return path


def check(cases: list[Case], outputs: list[np.typing.NDArray[np.int8]]) -> None:
    for case, output in zip(cases, outputs, strict=True):
        np.testing.assert_array_equal(output, expected(case), err_msg=str(case.shape))


@settings(max_examples=40, deadline=None)
@given(shape=shapes(), seed=st.integers(0, 1 << 30), tile_bytes=st.sampled_from([conv.TILE_BYTES, 256]))
def test_any_convolution(program: Path, shape: Shape, seed: int, tile_bytes: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [random_case(shape, rng), random_case(shape, rng, extreme=True)]
    with patch.multiple(conv, TILE_BYTES=tile_bytes, MIN_TILE=2):
        write_cases(program.parent, cases)
    done = subprocess.run([program], cwd=program.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check(cases, read_outputs(program.parent, cases))


def drawn_shapes(count: int, *, seed: int, most_bytes: int) -> list[Shape]:
    """Draw shapes as the test above does, the same ones each time."""
    rng = np.random.default_rng(seed)
    found: list[Shape] = []
    while len(found) < count:
        kernel, stride, dilation = (tuple(int(n) for n in rng.integers(1, most, 2)) for most in (5, 4, 4))
        depth = int(rng.integers(1, 21))
        depthwise = len(found) % 6 == 5
        span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        shape = Shape(
            span[0] + int(rng.integers(0, 4)), span[1] + int(rng.integers(0, 20)), depth,
            depth * int(rng.integers(1, 3)) if depthwise else int(rng.integers(1, 12)),
            kernel, stride, dilation, bool(rng.integers(0, 2)),
            "int8" if depthwise else FORMATS[len(found) % len(FORMATS)], depthwise,
        )  # fmt: skip
        if shape.height * shape.width * depth < most_bytes:
            found.append(shape)
    return found


@pytest.mark.emulator
@pytest.mark.parametrize("board", CORES, ids=CORES.get)
def test_the_same_bits_on_every_core(board: str) -> None:
    tool("arm-none-eabi-gcc")
    tool("qemu-system-arm")
    small = board == "microbit"
    rng = np.random.default_rng(1)
    drawn = drawn_shapes(40, seed=2, most_bytes=1500 if small else 100_000)
    cases = [random_case(shape, rng, extreme=number % 3 == 0) for number, shape in enumerate(drawn)]
    with patch.multiple(conv, TILE_BYTES=512, MIN_TILE=4):
        outputs, _ = run_cases(cases, load_board(board), memory_bytes=11_000 if small else 1 << 20, stack_bytes=3072)
    check(cases, outputs)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("board", "flag"), [("mps2-an386", "-O0"), ("mps2-an386", "-O3"), ("mps3-an547", "-O0"), ("mps3-an547", "-Os")]
)
def test_no_flag_breaks_the_assembler(board: str, flag: str) -> None:
    tool("arm-none-eabi-gcc")
    tool("qemu-system-arm")
    rng = np.random.default_rng(3)
    shapes = [Shape(3, 9, 7, 5, format=name) for name in ("int8", "int4", "palette4", "palette3_channels")]
    cases = [random_case(shape, rng) for shape in [*shapes, Shape(1, 1, 36, 5, (1, 1))]]
    outputs, _ = run_cases(cases, load_board(board), flags=(*COMPILE_FLAGS, *WARNINGS, flag))
    check(cases, outputs)
