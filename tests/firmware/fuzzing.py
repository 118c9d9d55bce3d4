"""Build and run the fuzz targets of tests/firmware/fuzz/."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.firmware.conftest import COMMON, HOST, SANITIZED, WARNINGS, device_sources, run, tool

FUZZ = Path(__file__).resolve().parent / "fuzz"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.c"))

SIZES = ["-DRAM_FLASH_BYTES=12288u", "-DDEVICE_MEMORY_BYTES=16384u", "-DDEVICE_HEARS=2000u"]
"""Small, because it is made anew for every input."""

LARGEST_ALLOCATION_MB = 64
"""The device allocates nothing; its host program allocates the memory that it gets."""

FLAGS = ["-std=c99", "-O1", "-g", *WARNINGS, *SANITIZED, "-I", COMMON / "include", "-I", HOST, *SIZES]


@dataclass(frozen=True)
class Fuzzed:
    """How a run ended: inputs tried, and what it printed when one of them broke a rule."""

    executions: int
    clean: bool
    report: str


def build_device(folder: Path) -> list[Path]:
    """Compile the device that all targets share; skips the test where clang is missing. Returns the objects."""
    sources = device_sources(folder)
    run([tool("clang"), *FLAGS, "-fsanitize=fuzzer-no-link", "-c", *sources], folder=folder)
    return [folder / f"{source.stem}.o" for source in sources]


def build(target: str, device: Sequence[Path], folder: Path) -> Path:
    """Compile a target and link it with the device and clang's libFuzzer."""
    program = folder / f"fuzz_{target}"
    run([tool("clang"), *FLAGS, "-fsanitize=fuzzer", FUZZ / f"fuzz_{target}.c", *device, "-o", program, "-lm"])
    return program


def fuzz(program: Path, target: str, *, limits: Sequence[str], folder: Path) -> Fuzzed:
    """Run a target within libFuzzer's limits, from its seeds and with its dictionary."""
    corpus, words = folder / f"corpus_{target}", FUZZ / f"{target}.dict"
    corpus.mkdir(exist_ok=True)
    for seed in sorted((FUZZ / "seeds" / target).glob("*")):
        shutil.copy(seed, corpus)
    options = [
        *limits,
        "-max_len=4096",
        "-timeout=20",
        "-len_control=0",
        # The peak that libFuzzer would limit is, on Linux, also that of the process which starts it.
        "-rss_limit_mb=0",
        f"-malloc_limit_mb={LARGEST_ALLOCATION_MB}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    options += [f"-dict={words}"] if words.is_file() else []
    done = subprocess.run([program, *options, corpus], capture_output=True, text=True, errors="replace", check=False)
    count = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    return Fuzzed(int(count[1]) if count else 0, done.returncode == 0, done.stderr[-3000:])
