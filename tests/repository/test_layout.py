"""The house keeps its plan: a reader finds each thing, and its tests, where the name says."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "edge_sv"

WHERE = {
    "a compression method": "edge_sv/recipes/quantizers.py",
    "a codebook for weights": "edge_sv/recipes/codebooks.py",
    "how bits are shared out among layers": "edge_sv/recipes/bit_allocation.py",
    "reading a recipe": "edge_sv/recipes/reading.py",
    "fake quantization in training": "edge_sv/compress/fake_quant.py",
    "weight clustering": "edge_sv/compress/cluster.py",
    "the stages of a build": "edge_sv/pipeline/build.py",
    "what a build is asked for": "edge_sv/pipeline/request.py",
    "the check of a converted model": "edge_sv/pipeline/check_conversion.py",
    "where finished stages are kept": "edge_sv/system/stage_cache.py",
    "what a MODEL argument is": "edge_sv/artifacts/locate.py",
    "a float net's description": "edge_sv/artifacts/net.py",
    "the converted model": "edge_sv/artifacts/artifact.py",
    "the voice print file": "edge_sv/verification/voice_print.py",
    "accept or reject": "edge_sv/verification/verifier.py",
    "AS-norm": "edge_sv/scoring/scores.py",
    "the equal error rate": "edge_sv/scoring/metrics.py",
    "trial lists": "edge_sv/scoring/trials.py",
    "the log-mel front end": "edge_sv/frontend/features.py",
    "the front end in integers": "edge_sv/frontend/fixed_point.py",
    "segments of a recording": "edge_sv/frontend/segments.py",
    "reading audio files": "edge_sv/audio/recording.py",
    "noise and room responses": "edge_sv/audio/noise_and_rooms.py",
    "the .tflite reader": "edge_sv/tflite/flatbuffer.py",
    "TensorFlow Lite Micro's interpreter": "edge_sv/runtimes/tflm.py",
    "the arena measurement": "edge_sv/runtimes/tflm_arena.py",
    "generated C, run on this computer": "edge_sv/runtimes/generated_c.py",
    "the call of QEMU": "edge_sv/emulation/qemu.py",
    "the line protocol, from this side": "edge_sv/emulation/line_protocol.py",
    "a board": "targets/boards/nrf52840/target.toml",
    "a pooling layer": "edge_sv/models/pooling.py",
    "distillation": "edge_sv/training/teacher.py",
    "pruning": "edge_sv/training/prune.py",
    "the package's manifest": "edge_sv/package/manifest.py",
    "a plug-in's entry point": "edge_sv/plugins/entry.py",
    "score drift": "edge_sv/analysis/drift.py",
    "the report's page": "edge_sv/report/page.py",
    "the C generator": "converters/edge_sv_converters/c_source/generate.py",
    "the streaming plan": "converters/edge_sv_converters/c_source/streaming.py",
    "the print store on flash": "targets/common/src/esv_store.c",
}

NOT_A_MODULE = {
    "tests/cli/test_tflite_runtime.py": "an installation with tflite-runtime in place of LiteRT",
    "tests/cli/test_without_tensorflow.py": "an installation without TensorFlow",
    "tests/unit/system/test_no_traps.py": "what every reader of files refuses",
    "tests/unit/system/test_readers_of_bytes.py": "any bytes, for every reader of files",
    "tests/unit/system/test_text_of_any_editor.py": "byte order marks and line ends, for every reader of text",
}
"""Tests that are no single module's."""


def modules() -> Iterator[Path]:
    """Yield the modules of the package, as paths below it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.name.startswith("__"):
            yield path.relative_to(PACKAGE)


def its_tests(module: Path) -> str:
    """Say where a module's tests are."""
    parts = module.parent.parts
    folder = Path("tests/cli", *parts[1:]) if parts[:1] == ("cli",) else Path("tests/unit", *parts)
    return str(folder / f"test_{module.name}")


def test_every_module_has_its_tests() -> None:
    assert [name for name in map(its_tests, modules()) if not (REPOSITORY / name).is_file()] == []


def test_every_file_of_tests_has_its_module() -> None:
    expected = {*map(its_tests, modules()), "tests/unit/test_init.py", *NOT_A_MODULE}
    found = [*(REPOSITORY / "tests/unit").rglob("test_*.py"), *(REPOSITORY / "tests/cli").rglob("test_*.py")]
    assert sorted({str(path.relative_to(REPOSITORY)) for path in found} - expected) == []


def test_exceptions_are_there() -> None:
    assert [name for name in NOT_A_MODULE if not (REPOSITORY / name).is_file()] == []


@pytest.mark.parametrize("thing", WHERE)
def test_things_are_where_their_names_say(thing: str) -> None:
    assert (REPOSITORY / WHERE[thing]).is_file()


def test_the_house_has_few_rooms_and_floors() -> None:
    folders = [path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    loose = [path for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    assert len(loose) <= 6 and len(folders) + len(loose) <= 22
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract["layers"] for contract in contracts if contract["id"] == "order")
    assert len(floors) <= 15
    rooms = {name for floor in floors for name in re.split(r"\s*:\s*", floor)}
    assert rooms == {path.name for path in folders} | {path.stem for path in loose}


def test_functions_are_read_on_one_screen_and_files_in_one_sitting() -> None:
    sources = [*PACKAGE.rglob("*.py"), *(REPOSITORY / "converters").rglob("*.py")]
    functions = [
        (f"{path.relative_to(REPOSITORY)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    long = sorted(name for name, lines in functions if lines > 40)
    assert len(long) <= 0.015 * len(functions), long
    assert [str(path) for path in sources if len(path.read_text().splitlines()) > 400] == []
