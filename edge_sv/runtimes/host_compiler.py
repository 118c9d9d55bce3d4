"""C sources compiled for this computer into a shared library, once: the same sources give the library of last time."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_sv.errors import DataError, ToolMissing
from edge_sv.system.files import atomic_folder, sha256_bytes
from edge_sv.system.stage_cache import default_work_folder

COMPILERS = ("cc", "gcc", "clang")
TIMEOUT_S = 600.0
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
LIBRARY = "net.so"


def compile_library(files: Mapping[str, bytes], *, cache: Path | None = None) -> Path:
    """Compile sources into a shared library; return its path.

    Args:
        files: path -> content. Every `.c` is compiled; headers are looked for in the folders of all files.
        cache: where libraries are kept; None: the user's cache.

    Raises:
        ToolMissing: there is no C compiler.
        DataError: the sources do not compile, or the cache cannot be written.
    """
    compiler = find_compiler()
    key = {"files": {name: sha256_bytes(data) for name, data in sorted(files.items())}, "flags": FLAGS}
    identity = sha256_bytes(json.dumps([key, _version(compiler)], sort_keys=True).encode())
    folder = (cache or default_work_folder().parent / "libraries") / identity[:32]
    if not (folder / LIBRARY).is_file():
        with tempfile.TemporaryDirectory() as sources, atomic_folder(folder) as temporary:
            _write(files, Path(sources))
            _compile(compiler, Path(sources), sorted(files), temporary / LIBRARY)
    return folder / LIBRARY


def find_compiler() -> list[str]:
    """Return the command of this computer's C compiler: `$CC`, else cc, gcc or clang.

    Raises:
        ToolMissing: there is none.
    """
    wanted = shlex.split(os.environ.get("CC", ""))
    for command in [wanted] if wanted else [[name] for name in COMPILERS]:
        if path := shutil.which(command[0]):
            return [path, *command[1:]]
    raise ToolMissing(
        "no C compiler found",
        details={"looked for": " ".join(wanted) or ", ".join(COMPILERS)},
        hint="apt-get install gcc, or name yours in the environment variable CC",
    )


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _compile(compiler: Sequence[str], folder: Path, names: Sequence[str], library: Path) -> None:
    includes = [f"-I{parent}" for parent in sorted({str(Path(name).parent) for name in names})]
    sources = [name for name in names if name.endswith(".c")]
    command = [*compiler, *FLAGS, *includes, *sources, "-o", str(library), "-lm"]
    name = Path(compiler[0]).name
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{name} did not finish with the generated code within {TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise DataError(f"{name} cannot compile the generated code", details={"got": first})


def _version(compiler: Sequence[str]) -> str:
    done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout
