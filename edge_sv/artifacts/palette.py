"""Weights as a palette: a small int8 codebook, an index for each weight, a scale for each output channel.

    weight[..., o] = scale[o] * codebook[index[..., o]] / 127

Every low-bit quantizer of this package gives this one form. A scale of its own for each output channel survives the
folding of a batch normalization exactly, because folding multiplies whole output channels; so the codebook that was
learned is the one that lies in flash.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.system.array_types import Float32, Int8, UInt8
from edge_sv.system.files import write_atomic
from edge_sv.system.npz import read_arrays
from edge_sv.system.packed import is_there

CODEBOOK_MAX = 127
PALETTES_FILE = "palettes.npz"


@dataclass(frozen=True, eq=False)
class Palette:
    """One layer's weights.

    Args:
        bits: of an index.
        codebook: (entries,) int8, ascending, at most 2 ** bits of them, shared by the layer; or (out, entries), one for
            each output channel.
        indices: (height, width, in, out) uint8.
        scales: (out,) float32, not negative.

    Raises:
        DataError: the parts do not fit together.
    """

    bits: int
    codebook: Int8
    indices: UInt8
    scales: Float32

    def __post_init__(self) -> None:
        out = self.indices.shape[-1] if self.indices.ndim == 4 else -1
        fits = (
            self.codebook.ndim in (1, 2)
            and self.codebook.shape[-1] <= 1 << self.bits
            and self.codebook.shape[:-1] in ((), (out,))
            and self.scales.shape == (out,)
            and (self.indices.size == 0 or int(self.indices.max()) < self.codebook.shape[-1])
            and bool(np.isfinite(self.scales).all() and (self.scales >= 0).all())
        )
        if not fits:
            shapes = f"{self.codebook.shape} codebook, {self.indices.shape} indices, {self.scales.shape} scales"
            raise DataError("a palette whose parts do not fit together", details={"got": f"{self.bits} bits, {shapes}"})

    @property
    def codes(self) -> Int8:
        """The int8 value of each weight, (height, width, in, out)."""
        if self.codebook.ndim == 1:
            return self.codebook[self.indices]
        channels = np.arange(self.indices.shape[-1])
        return self.codebook[channels, self.indices]

    def weights(self) -> Float32:
        """Return the weights, (height, width, in, out) float32."""
        return np.asarray(self.codes.astype(np.float32) * (self.scales / np.float32(CODEBOOK_MAX)), np.float32)


def encode_palettes(palettes: Mapping[str, Palette]) -> bytes:
    """Pack layer -> palette into an npz file's bytes, indices as dense bits; equal palettes give equal bytes."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for layer, palette in palettes.items():
        shifts = np.arange(palette.bits, dtype=np.uint8)
        bits = (palette.indices.reshape(-1, 1) >> shifts) & 1
        arrays[f"{layer}/shape"] = np.array([palette.bits, *palette.indices.shape], np.int32)
        arrays[f"{layer}/indices"] = np.packbits(bits.astype(np.uint8), bitorder="little")
        arrays[f"{layer}/codebook"] = palette.codebook
        arrays[f"{layer}/scales"] = palette.scales
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode_palettes(arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, Palette]:
    """Read what `encode_palettes` packed.

    Raises:
        DataError: a part is missing or of another size.
    """
    try:
        return {name.removesuffix("/shape"): _decode(arrays, name) for name in arrays if name.endswith("/shape")}
    except (KeyError, ValueError, IndexError) as error:
        raise DataError("the palettes are damaged", details={"got": str(error)}) from error


def load_palettes(folder: Path) -> dict[str, Palette]:
    """Read a net's compressed kernels, layer -> palette; none when nothing is compressed.

    Raises:
        DataError: damaged.
    """
    path = folder / PALETTES_FILE
    return decode_palettes(read_arrays(path)) if is_there(path) else {}


def save_palettes(folder: Path, palettes: Mapping[str, Palette]) -> None:
    """Write `palettes.npz` into a net's folder."""
    write_atomic(folder / PALETTES_FILE, encode_palettes(palettes))


def _decode(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> Palette:
    layer = name.removesuffix("/shape")
    bits, *shape = (int(n) for n in np.asarray(arrays[name], np.int64))
    count = int(np.prod(shape))
    packed = np.asarray(arrays[f"{layer}/indices"], np.uint8)
    unpacked = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    indices = np.packbits(unpacked, axis=1, bitorder="little")[:, 0]
    return Palette(
        bits=bits,
        codebook=np.asarray(arrays[f"{layer}/codebook"], np.int8),
        indices=indices.reshape(shape),
        scales=np.asarray(arrays[f"{layer}/scales"], np.float32),
    )
