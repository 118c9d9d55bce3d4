"""Compilers, and C libraries that are loaded into the tests."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge_sv.frontend.constants import features_source
from edge_sv.frontend.features import FeatureConfig
from edge_sv.tflite.quantization import TensorFormat

REPOSITORY = Path(__file__).resolve().parents[2]
COMMON = REPOSITORY / "targets" / "common"
STUB = REPOSITORY / "tests" / "firmware" / "tflm_stub"
HOST = REPOSITORY / "tests" / "firmware" / "host"
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
HOW_TO_INSTALL = {
    "gcc": "apt-get install gcc",
    "g++": "apt-get install g++",
    "clang": "apt-get install clang",
    "arm-none-eabi-gcc": "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cmake": "apt-get install cmake",
    "qemu-system-arm": "apt-get install qemu-system-arm",
}

RUNTIME = """
    esv esv_base64 esv_crc32 esv_embedding esv_features esv_features_fixed esv_features_float esv_fft_fixed
    esv_fft_float esv_gate esv_protocol esv_score esv_segments esv_siphash esv_square_root esv_status esv_store
    esv_store_log esv_tensor esv_text
""".split()
"""The C of targets/common from samples to decisions, without the operators of nets."""

Compile = Callable[[Sequence[str | Path]], None]


def tool(name: str) -> str:
    """Return a program's path; skip the test, saying how to install it, when it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} not found: {HOW_TO_INSTALL[name]}")
    return path


def run(command: Sequence[str | Path], *, folder: Path | None = None) -> str:
    """Run a program, in a folder; fail with what it wrote."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def files_of(folder: Path, *patterns: str) -> list[Path]:
    """Return the files of a folder that match any pattern; fail where one matches none."""
    found = {pattern: sorted(folder.glob(pattern)) for pattern in patterns}
    assert all(found.values()), f"{folder} lacks files: {found}"
    return [path for paths in found.values() for path in paths]


@pytest.fixture(scope="session")
def common_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The portable C of targets/common, compiled for this computer under the strict flags."""
    library = tmp_path_factory.mktemp("common") / "common.so"
    sources = sorted((COMMON / "src").glob("*.c"))
    flags = ["-std=c99", "-O2", "-fPIC", "-shared", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    run([tool("gcc"), *flags, "-I", COMMON / "include", *sources, "-o", library, "-lm"])
    return ctypes.CDLL(str(library))


def device_sources(folder: Path) -> list[Path]:
    """Return what a device on this computer is made of, without its main program; write its front end to a folder."""
    features = folder / "tiny_features.c"
    grid = TensorFormat((1, 20, 16, 1), 0.0625, -3)
    features.write_text(features_source(FeatureConfig(num_mels=16), grid, prefix="tiny"))
    runtime = [COMMON / "src" / f"{name}.c" for name in RUNTIME]
    return [*(HOST / f"{name}.c" for name in ("device", "ram_flash", "tiny_net")), features, *runtime]


@pytest.fixture(scope="session")
def device_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A whole device with a tiny net, see tests/firmware/host/device.h."""
    folder = tmp_path_factory.mktemp("device")
    flags = [
        "-std=c99",
        "-O1",
        "-g",
        "-fPIC",
        "-shared",
        *WARNINGS,
        "-fsanitize=undefined",
        "-fno-sanitize-recover=all",
    ]
    include = ["-I", COMMON / "include", "-I", HOST]
    run([tool("gcc"), *flags, *include, *device_sources(folder), "-o", folder / "device.so", "-lm"])
    return ctypes.CDLL(str(folder / "device.so"))


@pytest.fixture(scope="session")
def sanitized_device(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same as object files, under AddressSanitizer too and ready for libFuzzer; tests/firmware/fuzzing.py."""
    from tests.firmware.fuzzing import build_device

    return build_device(tmp_path_factory.mktemp("sanitized_device"))
