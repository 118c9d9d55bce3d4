"""Object files, compiled once: the same source, headers and options give the object of last time."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path

from edge_sv.emulation.tools import run_tool
from edge_sv.errors import DataError
from edge_sv.system.files import sha256_bytes, sha256_file
from edge_sv.system.stage_cache import default_work_folder

COMPILER = "arm-none-eabi-gcc"


class Compilation:
    """Compiles sources under one set of options.

    Args:
        options: for the compiler, without include folders.
        include_dirs: where the sources find their headers.
        name: the object files' names begin with it.
        cache: where they are kept; None: the user's cache.
        compiler: GCC for C or for C++.
    """

    def __init__(
        self,
        options: Sequence[str],
        include_dirs: Iterable[Path],
        *,
        name: str,
        cache: Path | None = None,
        compiler: str = COMPILER,
    ) -> None:
        self._options = [*options]
        self._include_dirs = [folder.resolve() for folder in include_dirs]
        self._name, self._compiler = name, compiler
        self._cache = cache or default_work_folder().parent / "objects"

    def compile(self, sources: Iterable[Path]) -> list[Path]:
        """Return an object file for each source.

        Raises:
            ToolMissing: the compiler is not installed.
            DataError: a source does not compile, or the cache cannot be written.
        """
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return list(pool.map(self._compile_one, sources))
        except OSError as error:
            got = f"{error.filename}: {error.strerror}"
            hint = "set XDG_CACHE_HOME to a folder that you may write"
            raise DataError("cannot compile", details={"got": got}, hint=hint) from error

    @cached_property
    def _headers(self) -> list[str]:
        return [sha256_file(path) for folder in self._include_dirs for path in sorted(folder.glob("*.h"))]

    def _compile_one(self, source: Path) -> Path:
        key = json.dumps([_version(), self._compiler, self._options, self._headers, sha256_file(source)])
        out = self._cache / f"{self._name}-{source.stem}-{sha256_bytes(key.encode())[:32]}.o"
        if out.is_file():
            return out
        with tempfile.TemporaryDirectory(dir=self._cache) as folder:
            made = Path(folder) / out.name
            includes = [f"-I{path}" for path in self._include_dirs]
            done = run_tool(
                [self._compiler, *self._options, *includes, "-c", source.resolve(), "-o", made], folder=Path(folder)
            )
            if done.returncode != 0:
                raise DataError(f"{source} does not compile", details={"compiler": first_error(done.stderr)})
            made.replace(out)
        return out


def first_error(text: str) -> str:
    """Return the line of a compiler's or linker's complaint that says why."""
    lines = text.strip().splitlines()
    return next((line for line in lines if "error" in line or "undefined" in line), lines[0] if lines else "nothing")


@lru_cache(maxsize=1)
def _version() -> str:
    return run_tool([COMPILER, "-dumpfullversion", "-dumpmachine"], folder=Path.cwd()).stdout
