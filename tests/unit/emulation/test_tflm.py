"""What `edge-sv emulate --tflm` asks for: a folder of TensorFlow Lite Micro, a package of its kind, a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation import FirmwareRun, emulate, load_board
from edge_sv.emulation.tflm import INTERPRETER_HEADER, _figures, check_cxx, find_tflm
from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.package import write_package
from edge_sv.package.target import load_target

LIBRARY = "gen/cortex_m_generic_cortex-m4+fp_default_gcc/lib/libtensorflow-microlite.a"


def _tree(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_headers_and_library_are_found(tmp_path: Path) -> None:
    third_party = (
        "third_party/flatbuffers/include/flatbuffers/flatbuffers.h",
        "downloads/gemmlowp/fixedpoint/fixedpoint.h",
    )
    found = find_tflm(_tree(tmp_path, INTERPRETER_HEADER, LIBRARY, *third_party), load_board())
    assert found.library == tmp_path / LIBRARY
    assert found.include_dirs == (
        tmp_path,
        tmp_path / "downloads/gemmlowp",
        tmp_path / "third_party/flatbuffers/include",
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        find_tflm(tmp_path / "nowhere", load_board())


def test_a_folder_without_headers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no headers") as error:
        find_tflm(_tree(tmp_path, LIBRARY), load_board())
    assert error.value.details["missing"] == INTERPRETER_HEADER


@pytest.mark.parametrize(("board", "core"), [("mps2-an386", "cortex-m4+fp"), ("mps2-an385", "cortex-m3")])
def test_no_library_says_what_to_build(board: str, core: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no library") as error:
        find_tflm(_tree(tmp_path, INTERPRETER_HEADER), load_board(board))
    assert f"TARGET=cortex_m_generic TARGET_ARCH={core} microlite" in str(error.value.hint)


def test_several_libraries_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="several libraries") as error:
        find_tflm(_tree(tmp_path, INTERPRETER_HEADER, LIBRARY, "other.a"), load_board())
    assert error.value.details["found"] == f"{LIBRARY}, other.a"


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"arm-none-eabi-g\+\+ is needed") as error:
        check_cxx(load_board())
    assert "libstdc++-arm-none-eabi-newlib" in str(error.value.hint)


@pytest.mark.parametrize(("answer", "there"), [("libstdc++.a", False), ("/lib/thumb/libstdc++.a", True)])
def test_a_missing_cxx_library_is_told(
    answer: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "arm-none-eabi-g++"
    compiler.write_text(f"#!/bin/sh\necho {answer}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        check_cxx(load_board())
        return
    with pytest.raises(ToolMissing, match="libstdc") as error:
        check_cxx(load_board())
    assert error.value.exit_code == 6


def test_packages_of_another_kind_and_recordings_are_refused(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")
    package = write_package(tiny_artifact, load_target("cortex-m"), tmp_path / "tiny")
    with pytest.raises(UsageError, match="is of kind cortex-m"):
        emulate(package, load_board(), tflm=tmp_path)
    with pytest.raises(UsageError, match="takes no recordings"):
        emulate(package, load_board(), enroll=[("a", None)], tflm=tmp_path)  # type: ignore[list-item]


def test_figures_are_read_or_missed_in_words() -> None:
    def read(output: str) -> tuple[int, int]:
        return _figures(FirmwareRun(output, 0, 1, 1, 1, 1, 1))

    assert read("inference 123\narena 456\n") == (123, 456)
    for output in ("", "inference 5\n", f"inference {'9' * 5000}\narena 1\n"):
        with pytest.raises(DataError, match="reported no instruction counts") as caught:
            read(output)
        assert len(str(caught.value)) < 400
