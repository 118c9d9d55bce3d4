"""The portable C of targets/common: compiles everywhere without a warning, computes what Python computes."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.frontend.segments import normalize_length
from edge_sv.scoring.scores import Cohort, as_norm, cosine
from edge_sv.system.array_types import Float32
from edge_sv.tflite.quantization import TensorFormat
from tests.firmware.conftest import COMMON, WARNINGS, run, tool

SOURCES = sorted((COMMON / "src").glob("*.c"))
HEADERS = sorted((COMMON / "include").glob("*.h"))
CORES = {
    "cortex-m0plus": [],
    "cortex-m3": [],
    "cortex-m4": ["-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "cortex-m7": ["-mfpu=fpv5-d16", "-mfloat-abi=hard"],
    "cortex-m33": [],
    "cortex-m55": [],
}


class Grid(ctypes.Structure):
    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]


class CohortStruct(ctypes.Structure):
    _fields_ = [("values", ctypes.c_void_p), ("num_speakers", ctypes.c_size_t), ("dim", ctypes.c_size_t)]


def _pointer(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "compiler",
    [["gcc", "-std=c99"], ["gcc", "-std=c11"], ["clang", "-std=c99"], ["g++", "-x", "c++", "-std=c++11"]],
    ids=lambda command: " ".join(command),
)
def test_compiles_without_a_warning(source: Path, compiler: list[str], tmp_path: Path) -> None:
    name, *language = compiler
    run([tool(name), *language, *WARNINGS, "-I", COMMON / "include", "-c", source, "-o", tmp_path / "out.o"])


@pytest.mark.parametrize("core", CORES)
def test_compiles_for_cortex_m(core: str, tmp_path: Path) -> None:
    compiler = tool("arm-none-eabi-gcc")
    for source in SOURCES:
        flags = ["-std=c99", "-Os", f"-mcpu={core}", "-mthumb", *CORES[core], *WARNINGS]
        run([compiler, *flags, "-I", COMMON / "include", "-c", source, "-o", tmp_path / "out.o"])


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
@pytest.mark.parametrize("language", [["gcc", "-std=c99", "-xc"], ["g++", "-std=c++11", "-xc++"]], ids=["C99", "C++11"])
def test_each_header_stands_alone(header: Path, language: list[str], tmp_path: Path) -> None:
    (tmp_path / "alone").write_text(f'#include "{header.name}"\n#include "{header.name}"\nextern int alone;\n')
    run([tool(language[0]), *language[1:], *WARNINGS, "-I", header.parent, "-fsyntax-only", tmp_path / "alone"])


def _quantize(library: ctypes.CDLL, values: Float32, grid: TensorFormat) -> npt.NDArray[np.int8]:
    out = np.empty(values.shape, np.int8)
    library.esv_tensor_quantize(
        _pointer(values), ctypes.c_size_t(values.size), Grid(grid.scale, grid.zero_point), _pointer(out)
    )
    return out


@settings(max_examples=200, deadline=None)
@given(
    scale=st.floats(2.0**-20, 1024.0, width=32),
    zero_point=st.integers(-128, 127),
    values=st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=50),
)
def test_quantizes_bit_for_bit(common_library: ctypes.CDLL, scale: float, zero_point: int, values: list[float]) -> None:
    grid = TensorFormat((len(values),), float(np.float32(scale)), zero_point)
    array = np.array(values, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = grid.quantize(array)
    np.testing.assert_array_equal(_quantize(common_library, array, grid), expected)


@pytest.mark.parametrize("zero_point", [-128, -12, 0, 1, 127])
def test_quantizes_every_step_its_halves_and_their_neighbours(common_library: ctypes.CDLL, zero_point: int) -> None:
    for scale in (0.0312498361, 0.1, 0.25, 1.0, 3.0):
        steps = np.arange(-600, 600, dtype=np.float32) / 2 * np.float32(scale)
        values = np.concatenate(
            [steps, np.nextafter(steps, np.float32(np.inf)), np.nextafter(steps, np.float32(-np.inf))]
        )
        grid = TensorFormat(values.shape, float(np.float32(scale)), zero_point)
        np.testing.assert_array_equal(_quantize(common_library, values, grid), grid.quantize(values))


def test_rounds_half_away_from_zero_and_saturates(common_library: ctypes.CDLL) -> None:
    values = np.array([0.5, -0.5, 1.5, -1.5, 0.49, 126.5, 1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
    expected = [1, -1, 2, -2, 0, 127, 127, -128, 127, -128, -128]
    assert _quantize(common_library, values, TensorFormat((11,), 1.0, 0)).tolist() == expected


def test_dequantizes_bit_for_bit(common_library: ctypes.CDLL) -> None:
    values = np.arange(-128, 128, dtype=np.int8)
    for scale, zero_point in ((0.00359140616, -12), (0.1, 127), (1.0, -128)):
        grid, out = TensorFormat((256,), float(np.float32(scale)), zero_point), np.empty(256, np.float32)
        common_library.esv_tensor_dequantize(
            _pointer(values), ctypes.c_size_t(256), Grid(grid.scale, grid.zero_point), _pointer(out)
        )
        np.testing.assert_array_equal(out, grid.dequantize(values))


@pytest.mark.parametrize("dim", [1, 24, 64, 192, 512])
def test_length_normalization_and_mean(common_library: ctypes.CDLL, dim: int) -> None:
    rng = np.random.default_rng(dim)
    segments = rng.normal(0, rng.uniform(1e-3, 1e3), (7, dim)).astype(np.float32)
    total = np.zeros(dim, np.float32)
    for segment in segments.copy():
        common_library.esv_embedding_normalize(_pointer(segment), ctypes.c_size_t(dim))
        common_library.esv_embedding_add(_pointer(total), _pointer(segment), ctypes.c_size_t(dim))
    common_library.esv_embedding_normalize(_pointer(total), ctypes.c_size_t(dim))
    np.testing.assert_allclose(total, normalize_length(normalize_length(segments).mean(axis=0)), atol=1e-6)


def test_a_zero_embedding_stays_zero(common_library: ctypes.CDLL) -> None:
    zero = np.zeros(8, np.float32)
    common_library.esv_embedding_normalize(_pointer(zero), ctypes.c_size_t(8))
    assert not zero.any()


@pytest.mark.parametrize("dim", [1, 24, 64, 512])
def test_cosine(common_library: ctypes.CDLL, dim: int) -> None:
    common_library.esv_score_cosine.restype = ctypes.c_float
    rng = np.random.default_rng(dim)
    zero = np.zeros(dim, np.float32)
    for a, b in [*rng.normal(0, 3, (50, 2, dim)).astype(np.float32), (zero, zero), (zero, zero + 1)]:
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        score = common_library.esv_score_cosine(_pointer(a), _pointer(b), ctypes.c_size_t(dim))
        assert score == pytest.approx(cosine(a, b), abs=1e-6)


@pytest.mark.parametrize(("speakers", "top_n"), [(2, 2), (12, 5), (12, 12), (12, 100), (461, 100), (461, 2)])
def test_as_norm(common_library: ctypes.CDLL, speakers: int, top_n: int) -> None:
    common_library.esv_score_as_norm.restype = ctypes.c_float
    rng = np.random.default_rng(speakers + top_n)
    dim = 64
    cohort = Cohort(rng.normal(size=(speakers, dim)).astype(np.float32))
    scale = np.abs(cohort.embeddings).max() / 127
    values = np.ascontiguousarray(np.rint(cohort.embeddings / scale).astype(np.int8))
    struct = CohortStruct(values.ctypes.data, speakers, dim)
    nearest = np.empty(top_n, np.float32)
    for _ in range(20):
        a, b = (np.ascontiguousarray(row) for row in rng.normal(size=(2, dim)).astype(np.float32))
        score = common_library.esv_score_as_norm(
            _pointer(a), _pointer(b), ctypes.byref(struct), ctypes.c_size_t(top_n), _pointer(nearest)
        )
        assert score == pytest.approx(as_norm(a, b, cohort=cohort, top_n=top_n), abs=1e-4, rel=1e-4)


def test_square_root_has_the_bits_that_ieee_754_asks(common_library: ctypes.CDLL) -> None:
    root = common_library.esv_square_root
    root.restype, root.argtypes = ctypes.c_float, [ctypes.c_float]
    rng = np.random.default_rng(0)
    exponents = np.arange(256, dtype=np.uint32)[:, None] << 23  # 0: subnormal; 255: infinity, no number
    fractions = np.concatenate([np.arange(4), 2**23 - 1 - np.arange(4), rng.integers(0, 2**23, 200)])
    bits = (exponents | fractions.astype(np.uint32)).ravel()
    squares = np.arange(1, 4096, dtype=np.float32) ** 2
    around = [np.nextafter(squares, np.float32(end)) for end in (0, np.inf)]
    values = np.concatenate([bits.view(np.float32), squares, *around])
    out = np.array([root(value) for value in values.tolist()], np.float32)
    with np.errstate(invalid="ignore"):
        expected = np.sqrt(values)
    np.testing.assert_array_equal(out.view(np.uint32), expected.view(np.uint32))
    assert np.isnan([root(-1.0), root(-1e-45), root(-np.inf)]).all()
    assert str(root(-0.0)) == "-0.0"


def test_status_texts_come_from_one_table(common_library: ctypes.CDLL) -> None:
    common_library.esv_status_text.restype = ctypes.c_char_p
    table = re.findall(r"X\((ESV_\w+), (-?\d+), *\"([^\"]+)\"\)", (COMMON / "include" / "esv_status.h").read_text())
    assert table[0] == ("ESV_OK", "0", "ok")
    assert len({value for _, value, _ in table}) == len(table) >= 8
    for _, value, text in table:
        assert common_library.esv_status_text(int(value)).decode() == text
    assert common_library.esv_status_text(-99) == b"unknown status"
