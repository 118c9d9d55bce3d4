"""Compilers, and C libraries that are loaded into the tests."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMMON = REPOSITORY / "targets" / "common"
STUB = REPOSITORY / "tests" / "firmware" / "tflm_stub"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
HOW_TO_INSTALL = {
    "gcc": "apt-get install gcc",
    "g++": "apt-get install g++",
    "clang": "apt-get install clang",
    "arm-none-eabi-gcc": "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cmake": "apt-get install cmake",
}

Compile = Callable[[Sequence[str | Path]], None]


def tool(name: str) -> str:
    """Return a program's path; skip the test, saying how to install it, when it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} not found: {HOW_TO_INSTALL[name]}")
    return path


def run(command: Sequence[str | Path]) -> str:
    """Run a program; fail with what it wrote."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def common_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The portable C of targets/common, compiled for this computer under the strict flags."""
    library = tmp_path_factory.mktemp("common") / "common.so"
    sources = sorted((COMMON / "src").glob("*.c"))
    flags = ["-std=c99", "-O2", "-fPIC", "-shared", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    run([tool("gcc"), *flags, "-I", COMMON / "include", *sources, "-o", library, "-lm"])
    return ctypes.CDLL(str(library))
