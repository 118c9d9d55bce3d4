"""The C of a tflite-micro package: what it holds, that it compiles, and that the glue does what it says.

TensorFlow Lite Micro's headers are in no package registry, so the glue is compiled against tflm_stub (see its README)
and, where EDGE_SV_TFLM_DIR names a source tree of TensorFlow Lite Micro, against the real ones.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.render import c_float, c_string
from edge_sv.package.target import load_target
from tests.firmware.conftest import STUB, WARNINGS, files_of, run, tool

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

CXX = ["-std=c++17", "-fno-exceptions", "-fno-rtti", *WARNINGS]
INVOKE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int8), ctypes.POINTER(ctypes.c_int8))
SEGMENT, DIM = 50 * 16, 24


class Tensor(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("bytes", ctypes.c_size_t),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    ]


class Glue:
    """The package's C and glue on the stub; each inference is run by the real TensorFlow Lite Micro."""

    def __init__(self, library: Path, artifact: ModelArtifact) -> None:
        self.c = ctypes.CDLL(str(library))
        self.embedder = TflmEmbedder(artifact)
        self.fails = False
        self.callback = INVOKE(self._invoke)
        ctypes.c_void_p.in_dll(self.c, "stub_on_invoke").value = ctypes.cast(self.callback, ctypes.c_void_p).value
        for name, grid in (("stub_input", self.embedder.input), ("stub_output", self.embedder.output)):
            size = int(np.prod(grid.shape))
            self.set(name, Tensor(9, size, grid.scale, grid.zero_point))
        self.c.esv_status_text.restype = ctypes.c_char_p
        self.c.esv_model_arena_used.restype = ctypes.c_size_t
        self.memory = np.zeros(1 << 16, np.uint8)
        self.start = -self.memory.ctypes.data % 16
        self.model = ctypes.c_void_p()

    def _invoke(self, given: object, answer: object) -> int:
        if self.fails:
            return 1
        segment = np.ctypeslib.as_array(given, (SEGMENT,)).reshape(50, 16)  # type: ignore[arg-type]
        np.ctypeslib.as_array(answer, (DIM,))[:] = self.embedder.invoke(segment.copy())  # type: ignore[arg-type]
        segment[:] = 0  # the real interpreter uses the input's memory again
        return 0

    def set(self, name: str, value: ctypes.Structure | ctypes._SimpleCData[int]) -> None:
        place = type(value).in_dll(self.c, name)
        ctypes.memmove(ctypes.byref(place), ctypes.byref(value), ctypes.sizeof(value))

    def init(self, num_bytes: int, *, offset: int = 0) -> str:
        place = ctypes.c_void_p(self.memory.ctypes.data + self.start + offset)
        status = self.c.esv_model_init(ctypes.byref(self.model), place, ctypes.c_size_t(num_bytes))
        return str(self.c.esv_status_text(status).decode())


@pytest.fixture(scope="module")
def package(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(tiny_artifact, load_target("tflite-micro"), tmp_path_factory.mktemp("package") / "tiny")


@pytest.fixture(scope="module")
def library(package: DevicePackage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    return _link(package.path, folder / "glue.so", "-DESV_STUB_LAYOUT=2021")


def _link(package: Path, library: Path, layout: str) -> Path:
    sanitize = ["-fsanitize=undefined", "-fno-sanitize-recover=all", "-fPIC", "-O1"]
    include = ["-I", package / "src", "-I", package / "golden", "-isystem", STUB]
    objects = []
    for source in files_of(package, "src/*.c", "golden/*.c"):
        objects.append(library.parent / f"{source.name}.o")
        run([tool("gcc"), "-std=c99", *sanitize, *WARNINGS, *include, "-c", source, "-o", objects[-1]])
    sources = [package / "src/esv_model.cc", package / "golden/golden_test.cc", STUB / "stub.cc"]
    flags = [*CXX, *sanitize, "-Dmain=golden_main", layout]
    run([tool("g++"), *flags, *include, "-shared", *sources, *objects, "-o", library, "-lm"])
    return library


@pytest.fixture
def glue(library: Path, tiny_artifact: ModelArtifact) -> Iterator[Glue]:
    glue = Glue(library, tiny_artifact)
    yield glue
    glue.c.esv_model_deinit(glue.model)
    for name, value in (("stub_version", 3), ("stub_arena_needed", 0)):
        glue.set(name, (ctypes.c_uint32 if name == "stub_version" else ctypes.c_size_t)(value))
    assert ctypes.c_int.in_dll(glue.c, "stub_alive").value == 0


def _config(package: DevicePackage, name: str) -> int:
    return int(re.search(rf"#define {name} (\d+)", (package.path / "src/esv_model_config.h").read_text())[1])  # type: ignore[index]


def test_model_array_is_the_model_byte_for_byte_and_aligned(library: Path, tiny_artifact: ModelArtifact) -> None:
    c = ctypes.CDLL(str(library))
    size = ctypes.c_size_t.in_dll(c, "esv_model_data_bytes").value
    array = (ctypes.c_uint8 * size).in_dll(c, "esv_model_data")
    assert bytes(array) == tiny_artifact.model
    assert ctypes.addressof(array) % 16 == 0


def test_cohort_array_has_the_cohort_s_directions(library: Path, tiny_artifact: ModelArtifact) -> None:
    class Struct(ctypes.Structure):
        _fields_ = [("values", ctypes.POINTER(ctypes.c_int8)), ("num", ctypes.c_size_t), ("dim", ctypes.c_size_t)]

    cohort = Struct.in_dll(ctypes.CDLL(str(library)), "esv_cohort")
    assert tiny_artifact.cohort is not None
    expected = tiny_artifact.cohort.embeddings
    values = np.ctypeslib.as_array(cohort.values, (cohort.num, cohort.dim)).astype(np.float32)
    assert values.shape == expected.shape
    np.testing.assert_allclose(values / 127 * np.abs(expected).max(), expected, atol=1e-6)


@pytest.mark.parametrize("layout", ["2021", "2026"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_glue_compiles_in_both_layouts_of_tflm(
    package: DevicePackage, layout: str, compiler: str, tmp_path: Path
) -> None:
    if compiler == "clang++":
        tool("clang")
    flags = [*CXX, f"-DESV_STUB_LAYOUT={layout}", "-I", package.path / "src", "-isystem", STUB]
    run([compiler, *flags, "-c", package.path / "src/esv_model.cc", "-o", tmp_path / "glue.o"])


@pytest.mark.skipif("EDGE_SV_TFLM_DIR" not in os.environ, reason="set EDGE_SV_TFLM_DIR to a TensorFlow Lite Micro tree")
def test_glue_compiles_against_the_real_tflm(package: DevicePackage, tmp_path: Path) -> None:
    tree = Path(os.environ["EDGE_SV_TFLM_DIR"])
    downloads = tree / "tensorflow/lite/micro/tools/make/downloads"
    include = [tree, downloads, *(downloads / name for name in ("flatbuffers/include", "gemmlowp"))]
    flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-DTF_LITE_STATIC_MEMORY", "-I", package.path / "src"]
    places = [part for folder in include for part in ("-isystem", folder)]
    run([tool("g++"), *flags, *places, "-c", package.path / "src/esv_model.cc", "-o", tmp_path / "glue.o"])


@pytest.mark.parametrize("language", [["gcc", "-std=c99", "-xc"], ["g++", "-std=c++11", "-xc++"]], ids=["C99", "C++11"])
def test_each_header_stands_alone(package: DevicePackage, language: list[str], tmp_path: Path) -> None:
    for header in files_of(package.path, "src/*.h", "golden/*.h"):
        if header.name == "esv_op_resolver.h":
            continue  # C++17, for the glue alone
        (tmp_path / "alone").write_text(f'#include "{header.name}"\n#include "{header.name}"\nextern int alone;\n')
        run([tool(language[0]), *language[1:], *WARNINGS, "-I", header.parent, "-fsyntax-only", tmp_path / "alone"])


def test_sources_compile_for_cortex_m4f(package: DevicePackage, tmp_path: Path) -> None:
    compiler = tool("arm-none-eabi-gcc")
    flags = ["-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", *WARNINGS]
    for source in files_of(package.path, "src/*.c", "golden/*.c"):
        run([compiler, *flags, "-I", package.path / "src", "-c", source, "-o", tmp_path / "out.o"])


@pytest.mark.parametrize("kind", ["as_norm", "cosine", None])
def test_the_readme_s_c_compiles(tiny_artifact: ModelArtifact, tmp_path: Path, kind: str | None) -> None:
    scoring = None if kind is None else dataclasses.replace(tiny_artifact.scoring, kind=kind)  # type: ignore[type-var]
    cohort = tiny_artifact.cohort if kind == "as_norm" else None
    artifact = dataclasses.replace(tiny_artifact, scoring=scoring, cohort=cohort)
    package = write_package(artifact, load_target("tflite-micro"), tmp_path / "tiny").path
    blocks = re.findall(r"```c\n(.*?)```", (package / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    includes = "".join(
        f'#include "{path.name}"\n' for path in sorted(package.glob("src/*.h")) if "resolver" not in path.name
    )
    given = "const float *features, const float *voice_print, float your_threshold, void (*report)(const char *)"
    body = (
        f"int example({given});\nint example({given}) {{\n{''.join(blocks)}(void)your_threshold; return accepted;\n}}\n"
    )
    (tmp_path / "example.c").write_text(includes + body)
    flags = ["-std=c99", *WARNINGS, "-I", package / "src"]
    run([tool("gcc"), *flags, "-c", tmp_path / "example.c", "-o", tmp_path / "example.o"])


def test_cmake_builds_the_library_and_the_golden_test(package: DevicePackage, tmp_path: Path) -> None:
    cmake = tool("cmake")
    shutil.copytree(package.path, tmp_path / "tiny")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\n"
        "project(firmware C CXX)\n"
        f'add_library(tflite-micro STATIC "{STUB}/stub.cc")\n'
        f'target_include_directories(tflite-micro PUBLIC "{STUB}")\n'
        'set(ESV_GOLDEN_TEST ON CACHE BOOL "")\n'
        "add_subdirectory(tiny)\n"
    )
    run([cmake, "-S", tmp_path, "-B", tmp_path / "build"])
    run([cmake, "--build", tmp_path / "build"])
    assert (tmp_path / "build/tiny/libesv_model.a").is_file()
    assert (tmp_path / "build/tiny/esv_golden_test").is_file()


def test_embeds_a_segment(glue: Glue, package: DevicePackage) -> None:
    assert glue.init(_config(package, "ESV_MODEL_OBJECT_BYTES") + 4096) == "ok"
    rng = np.random.default_rng(5)
    for _ in range(3):
        features = rng.normal(0, 2, (50, 16)).astype(np.float32)
        embedding = np.empty(DIM, np.float32)
        assert glue.c.esv_model_embed(glue.model, _at(features), _at(embedding)) == 0
        expected = glue.embedder.run(features[np.newaxis])[0]
        np.testing.assert_allclose(embedding, expected / np.linalg.norm(expected), atol=1e-6)


def test_runs_int8_bit_for_bit_and_tells_the_grids(glue: Glue, package: DevicePackage) -> None:
    assert glue.init(_config(package, "ESV_MODEL_OBJECT_BYTES") + 4096) == "ok"
    segment = np.random.default_rng(6).integers(-128, 128, (50, 16), dtype=np.int8)
    before, output = segment.copy(), np.empty(DIM, np.int8)
    assert glue.c.esv_model_run(glue.model, _at(segment), _at(output)) == 0
    np.testing.assert_array_equal(output, glue.embedder.invoke(segment))
    np.testing.assert_array_equal(segment, before)

    class Grid(ctypes.Structure):
        _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]

    for name, grid in (("input", glue.embedder.input), ("output", glue.embedder.output)):
        function = getattr(glue.c, f"esv_model_{name}_grid")
        function.restype = Grid
        told = function(glue.model)
        assert (told.scale, told.zero_point) == (grid.scale, grid.zero_point)


def test_registers_exactly_the_operators_used(glue: Glue, package: DevicePackage) -> None:
    assert glue.init(_config(package, "ESV_MODEL_OBJECT_BYTES") + 4096) == "ok"
    assert ctypes.c_uint.in_dll(glue.c, "stub_operators").value == len(package.manifest.operators)


def test_every_way_to_fail_has_its_status(glue: Glue, package: DevicePackage) -> None:
    object_bytes = _config(package, "ESV_MODEL_OBJECT_BYTES")
    enough = object_bytes + 4096
    size = ctypes.c_size_t(enough)
    null = glue.c.esv_model_init(ctypes.byref(glue.model), None, size)
    assert glue.c.esv_status_text(null) == b"a pointer is null or a size is zero"
    for memory in (glue.init(object_bytes), glue.init(enough, offset=8)):
        assert memory == "the memory block is too small or not aligned to 16 bytes"
    assert "tensor arena is too small" in glue.init(object_bytes + 16)
    glue.set("stub_version", ctypes.c_uint32(4))
    assert "another schema version" in glue.init(enough)
    glue.set("stub_version", ctypes.c_uint32(3))
    for wrong in (Tensor(1, SEGMENT, 0.1, 0), Tensor(9, SEGMENT + 1, 0.1, 0)):
        glue.set("stub_input", wrong)
        assert "input or output is not what" in glue.init(enough)
    assert not glue.model.value
    glue.set("stub_input", Tensor(9, SEGMENT, glue.embedder.input.scale, glue.embedder.input.zero_point))
    assert glue.init(enough) == "ok"
    glue.fails = True
    features, embedding = np.zeros((50, 16), np.float32), np.zeros(DIM, np.float32)
    failed = glue.c.esv_model_embed(glue.model, _at(features), _at(embedding))
    assert glue.c.esv_status_text(failed) == b"an operator failed while the net ran"
    assert not embedding.any()
    for nothing in (glue.c.esv_model_embed, glue.c.esv_model_run):
        assert nothing(glue.model, None, _at(embedding)) == null


def test_stated_arena_is_what_the_memory_leaves(glue: Glue, package: DevicePackage) -> None:
    arena = _config(package, "ESV_MODEL_ARENA_BYTES")
    assert package.arena_bytes == arena
    glue.set("stub_arena_needed", ctypes.c_size_t(arena))
    total = _config(package, "ESV_MODEL_OBJECT_BYTES") + arena
    assert "too small" in glue.init(total - 1)
    assert glue.init(total) == "ok"
    assert glue.c.esv_model_arena_used(glue.model) == arena


def test_golden_test_passes_with_tflm_and_fails_on_one_wrong_bit(glue: Glue, capfd: pytest.CaptureFixture[str]) -> None:
    assert glue.c._Z11golden_mainv() == 0
    ctypes.CDLL(None).fflush(None)
    lines = capfd.readouterr().out.splitlines()
    assert lines[1].startswith("buzz: passed, 0 inputs and 0 outputs differ")
    right = glue.embedder.invoke
    glue.embedder.invoke = lambda segment: right(segment) ^ np.eye(1, DIM, dtype=np.int8)[0]  # type: ignore[method-assign]
    assert glue.c._Z11golden_mainv() == len(lines) - 1
    ctypes.CDLL(None).fflush(None)
    assert "buzz: FAILED, 0 inputs and 2 outputs differ" in capfd.readouterr().out


def test_a_strange_name_cannot_break_the_sources(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    strange = dataclasses.replace(tiny_artifact, name='a*/"b\\\n??/é', scoring=None, cohort=None)
    package = write_package(strange, load_target("tflite-micro"), tmp_path / "strange")
    _link(package.path, tmp_path / "glue.so", "-DESV_STUB_LAYOUT=2026")
    assert package.artifact.name == strange.name


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-30, 3e30, 0.1, 1 / 3, 16777216.0, 1e20])
def test_float_constants_read_back_to_the_same_bits(value: float) -> None:
    text = c_float(value)
    assert np.float32(text.removesuffix("f")) == np.float32(value)
    assert re.fullmatch(r"-?\d+(\.\d+(e[+-]\d+)?|e[+-]\d+)f", text)


def test_strings_are_ascii_and_without_trigraphs() -> None:
    assert c_string('a"b\\c?é\n') == '"a\\042b\\134c\\077\\303\\251\\012"'


def _at(array: np.ndarray) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
