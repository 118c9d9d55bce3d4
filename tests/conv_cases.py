"""Convolutions with random numbers, as files for targets/common/tests/conv_cases.c, and what they should give."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edge_sv_converters.c_source.graph import Codebook
from edge_sv_converters.c_source.operators import depthwise
from edge_sv_converters.c_source.operators.conv import Geometry
from edge_sv_converters.c_source.weights import (
    PackedWeights,
    fold_bias,
    pack_depthwise,
    pack_indices,
    pack_int4,
    pack_int8,
)

from edge_sv.emulation import Board, build_program, run_program
from edge_sv.emulation.program import COMPILE_FLAGS, STACK_BYTES
from edge_sv.system.array_types import Int8
from edge_sv.system.bundled import targets_dir

SOURCES = [
    *sorted((targets_dir() / "common" / "src").glob("esv_conv*.c")),
    *sorted((targets_dir() / "common" / "src").glob("esv_depthwise*.c")),
]
FORMATS = ("int8", "int4", *(f"palette{bits}{of}" for bits in (1, 2, 3, 4) for of in ("", "_channels")))


@dataclass(frozen=True)
class Shape:
    """What a convolution looks like; sizes as TensorFlow counts them."""

    height: int
    width: int
    depth: int
    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    same: bool = True
    format: str = "int8"
    depthwise: bool = False

    def axis(self, index: int) -> tuple[int, int]:
        """Return output size and padding before."""
        size, span = (self.height, self.width)[index], (self.kernel[index] - 1) * self.dilation[index] + 1
        if not self.same:
            return (size - span) // self.stride[index] + 1, 0
        out = -(-size // self.stride[index])
        return out, max(0, (out - 1) * self.stride[index] + span - size) // 2

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        depth = 1 if self.depthwise else self.depth
        return self.axis(0)[0] * self.axis(1)[0] * self.channels * self.kernel[0] * self.kernel[1] * depth


@dataclass(frozen=True, eq=False)
class Case:
    """A convolution with its numbers. weights: (out, height, width, in); depthwise (height, width, out)."""

    shape: Shape
    image: Int8
    weights: Int8
    packed: PackedWeights
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: Int8
    input_zero_point: int
    output_zero_point: int
    limits: tuple[int, int]


def random_case(shape: Shape, rng: np.random.Generator, *, extreme: bool = False) -> Case:
    """Draw numbers; extreme ones reach the ends of every range and saturate."""
    dims = (*shape.kernel, shape.channels) if shape.depthwise else (shape.channels, *shape.kernel, shape.depth)
    weights, packed = _weights(shape, dims, rng)
    ends = np.array([-128, 127], np.int8)
    image = (
        rng.choice(ends, (shape.height, shape.width, shape.depth))
        if extreme
        else rng.integers(-128, 128, (shape.height, shape.width, shape.depth), dtype=np.int8)
    )
    count = shape.channels
    if extreme:
        bias = rng.choice(np.array([-(1 << 31), (1 << 31) - 1, 1 << 29, -(1 << 29), 0, -1, 12345], np.int64), count)
        multiplier = rng.choice(np.array([0, 1 << 30, (1 << 31) - 1, 1518500250], np.int64), count)
        shift = rng.choice(np.array([-31, -21, -20, -9, -1, 0, 1, 3], np.int8), count)
    else:
        bias = rng.integers(-20000, 20000, count)
        multiplier = rng.integers(1 << 30, 1 << 31, count)
        fan_in = weights.size // count
        shift = -(
            np.round(np.log2(np.sqrt(fan_in) * 74 * max(1.0, float(weights.std())) / 60)).astype(np.int8)
            + rng.integers(0, 2, count, dtype=np.int8)
        )
    low = int(rng.choice([-128, -128, -100, 3]))
    return Case(
        shape,
        image,
        weights,
        packed,
        bias.astype(np.int32),
        multiplier.astype(np.int32),
        shift.astype(np.int8),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 128)),
        (low, int(rng.choice([127, 127, 100, 4]))),
    )


def _weights(shape: Shape, dims: tuple[int, ...], rng: np.random.Generator) -> tuple[Int8, PackedWeights]:
    if shape.depthwise:
        weights = rng.integers(-128, 128, dims, dtype=np.int8)
        return weights, PackedWeights(pack_depthwise(weights), 8)
    if shape.format == "int8":
        weights = rng.integers(-128, 128, dims, dtype=np.int8)
        return weights, pack_int8(weights)
    if shape.format == "int4":
        weights = rng.integers(-8, 8, dims, dtype=np.int8)
        return weights, pack_int4(weights)
    bits = int(shape.format.removeprefix("palette")[0])
    rows = shape.channels if shape.format.endswith("_channels") else 1
    codebook = rng.integers(-128, 128, (rows, 1 << bits), dtype=np.int8)
    indices = rng.integers(0, 1 << bits, dims, dtype=np.uint8)
    weights = codebook[np.arange(shape.channels) % rows, indices.reshape(shape.channels, -1).T].T.reshape(dims)
    return weights, pack_indices(Codebook(indices, codebook, bits))


def requantize(x: npt.NDArray[Any], multiplier: npt.NDArray[Any], shift: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """TensorFlow Lite's double rounding, in Python's own words: half up of the high product, then half away from 0."""
    left, right = np.maximum(shift, 0).astype(np.int64), np.maximum(-shift, 0).astype(np.int64)
    x = ((x.astype(np.int64) << left) & 0xFFFFFFFF).astype(np.uint32).view(np.int32).astype(np.int64)
    product = x * multiplier.astype(np.int64)
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(product + nudge) * (np.abs(product + nudge) >> 31)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def expected(case: Case) -> Int8:
    """Return the output, (out_height, out_width, out_channels), of plain sums in int64."""
    shape = case.shape
    (out_height, top), (out_width, left) = shape.axis(0), shape.axis(1)
    span = [(k - 1) * d + 1 for k, d in zip(shape.kernel, shape.dilation, strict=True)]
    bottom = max(0, (out_height - 1) * shape.stride[0] + span[0] - shape.height - top)
    right = max(0, (out_width - 1) * shape.stride[1] + span[1] - shape.width - left)
    centred = case.image.astype(np.int64) - case.input_zero_point
    padded = np.pad(centred, ((top, bottom), (left, right), (0, 0)))
    sums = np.tile(case.bias.astype(np.int64), (out_height, out_width, 1))
    for ky in range(shape.kernel[0]):
        for kx in range(shape.kernel[1]):
            y, x = ky * shape.dilation[0], kx * shape.dilation[1]
            part = padded[y : y + out_height * shape.stride[0] : shape.stride[0]]
            part = part[:out_height, x : x + out_width * shape.stride[1] : shape.stride[1]][:, :out_width]
            if shape.depthwise:
                sums += np.repeat(part, shape.channels // shape.depth, axis=2) * case.weights[ky, kx]
            else:
                sums += part @ case.weights[:, ky, kx].astype(np.int64).T
    wrapped = (sums & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return np.clip(requantize(wrapped, case.multiplier, case.shift) + case.output_zero_point, *case.limits).astype(
        np.int8
    )


def geometry(shape: Shape) -> Geometry:
    """Return what the lowering would make of it."""
    out_width, left = shape.axis(1)
    return Geometry(
        shape.width, shape.depth, out_width, shape.channels, *shape.kernel, shape.stride[1], shape.dilation[1], left
    )


def encode(case: Case) -> bytes:
    """Write a case for conv_cases.c."""
    shape, row = case.shape, geometry(case.shape)
    out_height, top = shape.axis(0)
    axis = 2 if shape.depthwise else 0
    folded = fold_bias(case.bias, case.weights, case.input_zero_point, axis)
    codebook = b"" if case.packed.codebook is None else case.packed.codebook.tobytes()
    parts = [
        case.packed.values.tobytes(), codebook, folded.tobytes(), case.multiplier.tobytes(), case.shift.tobytes(),
        case.image.tobytes(),
    ]  # fmt: skip
    body = b"".join(part + bytes(-len(part) % 4) for part in parts)
    tile_width, scratch_bytes = row.tile_width, row.scratch_bytes(case.packed)
    if shape.depthwise:
        taps = shape.kernel[0] * shape.kernel[1]
        tile_width = depthwise.find_tile_width(row.out_width, taps)
        scratch_bytes = depthwise.scratch_bytes(shape.depth, taps, tile_width)
    numbers = [
        int(shape.depthwise), shape.height, out_height, shape.stride[0], shape.dilation[0], top,
        *vars(row).values(), tile_width, case.packed.bits, case.packed.codebook_stride,
        case.input_zero_point, case.output_zero_point, *case.limits, *map(len, parts),
        scratch_bytes,
    ]  # fmt: skip
    return struct.pack(f"<I{len(numbers)}i", 4 * len(numbers) + 4 + len(body), *numbers) + body


def run_cases(
    cases: Sequence[Case],
    board: Board,
    *,
    flags: Sequence[str] = COMPILE_FLAGS,
    memory_bytes: int = 3 << 20,
    stack_bytes: int = STACK_BYTES,
) -> tuple[list[Int8], list[int]]:
    """Compute cases on an emulated board; return their outputs and how many instructions each took."""
    common = targets_dir() / "common"
    include = [common / "include", common / "src"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        main, defines = [common / "tests" / "conv_cases.c"], {"MEMORY_BYTES": memory_bytes}
        program = build_program(
            SOURCES, include, board, folder=folder, main=main, flags=flags, defines=defines, stack_bytes=stack_bytes
        )
        write_cases(folder, cases)
        run = run_program(program, folder=folder)
        assert run.exit_code == 0, run.output
        return read_outputs(folder, cases), [int(line) for line in run.output.split()]


def write_cases(folder: Path, cases: Sequence[Case]) -> None:
    """Write the file that conv_cases.c reads."""
    (folder / "cases.bin").write_bytes(b"".join(encode(case) for case in cases))


def read_outputs(folder: Path, cases: Sequence[Case]) -> list[Int8]:
    """Read the file that conv_cases.c writes, (out_height, out_width, out_channels) each."""
    data = np.frombuffer((folder / "out.bin").read_bytes(), np.int8)
    shapes = [(case.shape.axis(0)[0], case.shape.axis(1)[0], case.shape.channels) for case in cases]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    assert len(data) == ends[-1]
    return [part.reshape(shape) for part, shape in zip(np.split(data, ends[:-1]), shapes, strict=True)]
