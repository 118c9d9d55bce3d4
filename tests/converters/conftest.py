"""The kernels of targets/common for this computer."""

from __future__ import annotations

import ctypes

import pytest

from tests.converters.kernel_calls import Kernels
from tests.firmware.conftest import COMMON, WARNINGS, run, tool

KERNELS = """
    add broadcast clamp extremum f32 f32_exp lookup mean move mul pool prelu softmax square_root squared_difference
    tensor
"""
SOURCES = KERNELS.split()


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """The kernels for this computer, under the strict flags; undefined behaviour ends the process."""
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    flags = [
        "-std=c99",
        "-O1",
        "-ffp-contract=off",
        "-fPIC",
        "-shared",
        *WARNINGS,
        "-fsanitize=undefined",
        "-fno-sanitize-recover=all",
    ]
    sources = [COMMON / "src" / f"esv_{name}.c" for name in SOURCES]
    run([tool("gcc"), *flags, "-I", COMMON / "include", *sources, "-o", library, "-lm"])
    return Kernels(ctypes.CDLL(str(library)), COMMON / "include")
