"""CONV_2D and FULLY_CONNECTED: one kernel, which sees a row of pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_sv_converters.c_source.calls import Array, Call, RowCall, Struct, WholeCall, Window
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators.weighted import MAX_SIZE, Steps, check_types, find_requantization, find_steps
from edge_sv_converters.c_source.weights import PackedWeights, pack_indices, pack_int4, pack_int8

HEADER = "esv_conv.h"
TILE_BYTES = 12 * 1024
"""Working memory that the inputs of a tile may take, unless few pixels need more."""
MIN_TILE = 8


@dataclass(frozen=True)
class Geometry:
    """A convolution over one row; the names of `esv_conv_params`."""

    in_width: int
    in_channels: int
    out_width: int
    out_channels: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride_width: int = 1
    dilation_width: int = 1
    pad_left: int = 0

    @property
    def column(self) -> int:
        """Values in a column: (kernel_height, in_channels), padded to a multiple of 4."""
        return -(-self.kernel_height * self.in_channels // 4) * 4

    @property
    def tile_width(self) -> int:
        """Output pixels to compute from one set of expanded inputs: as many as fit."""
        width, parts = self.out_width, 1
        while width > MIN_TILE and self._columns_bytes(width) > TILE_BYTES:
            parts += 1
            width = -(-self.out_width // (2 * parts)) * 2
        return width

    def scratch_bytes(self, packed: PackedWeights) -> int:
        """Return what `esv_conv_scratch_bytes` returns."""
        decoded = -(-self.kernel_width * self.column // 32) * 32
        alone = 8 if packed.bits == 8 else decoded
        pairs = 0 if packed.codebook is None else 1 << (2 * packed.bits)
        return self._columns_bytes(self.tile_width) + (4 * decoded if self.tile_width > 1 else alone) + 4 * pairs

    def _columns_bytes(self, pixels: int) -> int:
        if pixels == 1:
            return 2 * self.kernel_width * self.column
        columns = (pixels - 1) * self.stride_width + (self.kernel_width - 1) * self.dilation_width + 1
        return 2 * -(-columns // self.dilation_width) * self.dilation_width * self.column


def lower_conv(operation: Operation) -> tuple[Call, ...]:
    """Lower a CONV_2D.

    Raises:
        DataError: shapes, types or options that the kernel does not compute.
    """
    return lower_kernel(operation, check_types(operation))


def lower_kernel(operation: Operation, kernel: Tensor) -> tuple[Call, ...]:
    """Lower a convolution with the weights of `kernel`, (out_channels, height, width, in_channels).

    Raises:
        DataError: shapes or options that the kernel does not compute.
    """
    source, weights, output = operation.input(0).shape, kernel.shape, operation.output.shape
    if len(source) != 4 or len(weights) != 4 or source[0] != 1:
        raise operation.refuse(f"input {source} is not one image, or weights {weights} are no kernel")
    height, width, depth = source[1:]
    vertical = find_steps(operation, "H", height, weights[1])
    horizontal = find_steps(operation, "W", width, weights[2])
    if output != (1, vertical.out_size, horizontal.out_size, weights[0]) or weights[3] != depth:
        raise operation.refuse(f"input {source} and weights {weights} do not make output {output}")
    row = Geometry(
        width, depth, horizontal.out_size, weights[0], vertical.kernel, horizontal.kernel,
        horizontal.stride, horizontal.dilation, horizontal.pad,
    )  # fmt: skip
    window = Window(
        vertical.kernel, vertical.stride, vertical.dilation, vertical.pad, pad_value=operation.input(0).grid[1]
    )
    return (_row_call(operation, kernel, row, window, _line(row, vertical, height)),)


def lower_fully_connected(operation: Operation) -> tuple[Call, ...]:
    """Lower a FULLY_CONNECTED.

    Raises:
        DataError: shapes, types or options that the kernel does not compute.
    """
    source, kernel, output = operation.input(0), check_types(operation), operation.output
    weights = kernel.shape
    if len(weights) != 2 or not weights[1] or source.elements % weights[1] or operation.option("weightsFormat"):
        raise operation.refuse(f"input {source.shape} and weights {weights} do not make output {output.shape}")
    pixels = source.elements // weights[1]
    if output.elements != pixels * weights[0]:
        raise operation.refuse(f"input {source.shape} and weights {weights} do not make output {output.shape}")
    line = Geometry(pixels, weights[1], pixels, weights[0])
    if source.num_rows != output.num_rows or source.row_elements % weights[1]:
        return (_whole_call(operation, kernel, line),)
    pixels = source.row_elements // weights[1]
    return (_row_call(operation, kernel, replace(line, in_width=pixels, out_width=pixels), Window(1), line),)


def _line(row: Geometry, vertical: Steps, height: int) -> Geometry | None:
    """See the whole image as one row, where that is the same: kernels of one pixel, images one pixel wide."""
    if row.kernel_height == row.kernel_width == row.stride_width == vertical.stride == 1:
        pixels = height * row.in_width
        return replace(row, in_width=pixels, out_width=pixels) if pixels <= MAX_SIZE else None
    if row.in_width == row.out_width == row.kernel_width == 1:
        return Geometry(
            height, row.in_channels, vertical.out_size, row.out_channels, 1, vertical.kernel,
            vertical.stride, vertical.dilation, vertical.pad,
        )  # fmt: skip
    return None


def _row_call(operation: Operation, kernel: Tensor, row: Geometry, window: Window, line: Geometry | None) -> RowCall:
    packed = _pack(operation, kernel, row)
    return RowCall(
        operation=operation,
        inputs=(operation.input(0),),
        output=operation.output,
        kernel="esv_conv_s8",
        header=HEADER,
        params=_params(operation, kernel, row, packed),
        window=window,
        scratch=row.scratch_bytes(packed),
        whole=None if line is None or operation.input(0).num_rows == 1 else _whole_call(operation, kernel, line),
    )


def _whole_call(operation: Operation, kernel: Tensor, line: Geometry) -> WholeCall:
    packed = _pack(operation, kernel, line)
    return WholeCall(
        operation=operation,
        inputs=(operation.input(0),),
        output=operation.output,
        kernel="esv_conv_line_s8",
        header=HEADER,
        params=_params(operation, kernel, line, packed),
        scratch=line.scratch_bytes(packed),
    )


def _params(operation: Operation, kernel: Tensor, geometry: Geometry, packed: PackedWeights) -> Struct:
    sizes = {**vars(geometry), "tile_width": geometry.tile_width}
    for name, size in sizes.items():
        if size > MAX_SIZE:
            raise operation.refuse(f"its {name} is {size}")
    to = find_requantization(operation, kernel, channel_axis=0)
    return Struct(
        "esv_conv_params",
        {
            **sizes,
            "input_zero_point": to.input_zero_point,
            "output_zero_point": to.output_zero_point,
            "activation_min": to.limits[0],
            "activation_max": to.limits[1],
            "weight_bits": packed.bits,
            "codebook_stride": packed.codebook_stride,
            "weights": Array(packed.values),
            "codebook": None if packed.codebook is None else Array(packed.codebook),
            "bias": to.bias,
            "multiplier": to.multiplier,
            "shift": to.shift,
        },
    )


def _pack(operation: Operation, kernel: Tensor, geometry: Geometry) -> PackedWeights:
    shape = (geometry.out_channels, geometry.kernel_height, geometry.kernel_width, geometry.in_channels)
    if kernel.palette is not None:
        if len(kernel.palette.codebook) > 1 and kernel.axis != 0:
            raise operation.refuse(f"its palettes run along axis {kernel.axis}")
        return pack_indices(replace(kernel.palette, indices=kernel.palette.indices.reshape(shape)))
    assert kernel.values is not None, "check_types has looked"
    values = kernel.values.reshape(shape)
    return pack_int4(values) if kernel.dtype == "int4" else pack_int8(values)
