"""C sources become a library of this computer, once."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest

from edge_sv.errors import DataError, ToolMissing
from edge_sv.runtimes.host_compiler import compile_library, find_compiler

if not any(map(shutil.which, ("cc", "gcc", "clang"))):
    pytest.skip("no C compiler: apt-get install gcc", allow_module_level=True)


def test_sources_that_do_not_compile_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot compile") as caught:
        compile_library({"src/x.c": b"int x = ;\n"}, cache=tmp_path)
    assert "x.c:1" in caught.value.details["got"]
    assert not list(tmp_path.glob("**/x.c"))


def test_the_same_sources_are_compiled_once(tmp_path: Path) -> None:
    files = {"src/x.c": b"int x(void) { return 3; }\n"}
    path = compile_library(files, cache=tmp_path)
    before = path.stat().st_mtime_ns
    assert compile_library(files, cache=tmp_path) == path and path.stat().st_mtime_ns == before
    assert ctypes.CDLL(str(compile_library(files, cache=tmp_path))).x() == 3


def test_headers_are_found_in_every_folder(tmp_path: Path) -> None:
    files = {"include/seven.h": b"#define SEVEN 7\n", "src/x.c": b'#include "seven.h"\nint x(void) { return SEVEN; }\n'}
    assert ctypes.CDLL(str(compile_library(files, cache=tmp_path))).x() == 7


def test_another_source_or_compiler_gives_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_library({"x.c": b"int x(void) { return 3; }\n"}, cache=tmp_path)
    assert compile_library({"x.c": b"int x(void) { return 4; }\n"}, cache=tmp_path) != first
    wrapper = tmp_path / "mycc"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo mine && exit\nexec {find_compiler()[0]} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    assert compile_library({"x.c": b"int x(void) { return 3; }\n"}, cache=tmp_path) != first


def test_the_compiler_is_cc_of_the_environment_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    name = Path(find_compiler()[0]).name
    monkeypatch.setenv("CC", f"{name} -DX=1")
    assert find_compiler() == [shutil.which(name), "-DX=1"]


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ToolMissing, match="no C compiler found") as caught:
        find_compiler()
    assert caught.value.details == {"looked for": "no-such-compiler"} and "apt-get install gcc" in str(caught.value)
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing):
        find_compiler()
