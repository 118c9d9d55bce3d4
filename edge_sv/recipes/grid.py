"""Grids: which values a layer's weights may take, and which one each weight takes.

A quantizer, one of `edge_sv.recipes.codebooks`, looks at a layer once and gives a `Grid`: a codebook and how far it
reaches. From there every quantizer works alike. With w a weight of output channel o, r(o) the root mean square of that
channel and c the codebook / 127:

    assign   q = the entry of c nearest to w / (clip_ratio * r(o))
    scale    s(o) = sum(w q) / sum(q q), which minimizes sum (w - s q)^2

so a grid needs no state that training would have to keep: the same two lines, on the weights as they are now, are the
straight-through forward pass and the final compression. Source of the closed-form scale: least squares, as in
M. Rastegari et al., XNOR-Net, arXiv 1603.05279, equation 6, where q is a sign and s the mean of |w|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.palette import CODEBOOK_MAX, Palette
from edge_sv.system.array_types import Float32, Float64, Int8

CLIP_RATIOS = np.geomspace(0.7, 12.0, 70)
"""Candidates for the clip_ratio of a codebook whose shape is given, in root mean squares of the channel."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Values that a layer's weights may take.

    Args:
        bits: of an index.
        codebook: (entries,) int8, ascending; or (out, entries), one row for each output channel, a shorter one filled
            up with its last value.
        clip_ratio: root mean squares of a channel at which the codebook's 127 lies.
    """

    bits: int
    codebook: Int8
    clip_ratio: float

    @property
    def levels(self) -> Float32:
        """The codebook as factors of a channel's scale, (entries,) or (out, entries)."""
        return np.asarray(self.codebook.astype(np.float32) / CODEBOOK_MAX, np.float32)


def quantize(weights: Float32, grid: Grid) -> Palette:
    """Give every weight its nearest value and every channel its least-squares scale.

    Args:
        weights: (height, width, in, out).
        grid: the values.
    """
    columns = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    rms = np.sqrt(np.mean(columns**2, axis=0))
    normalized = columns / np.maximum(grid.clip_ratio * rms, 1e-30)
    levels = np.broadcast_to(grid.levels.astype(np.float64), (columns.shape[1], grid.codebook.shape[-1]))
    indices = np.empty(columns.shape, np.uint8)
    for o, row in enumerate(levels):
        indices[:, o] = np.searchsorted((row[1:] + row[:-1]) / 2, normalized[:, o])
    values = levels[np.arange(columns.shape[1]), indices]
    energy = np.sum(values**2, axis=0)
    scales = np.where(energy > 0, np.sum(columns * values, axis=0) / np.maximum(energy, 1e-30), 0.0)
    return Palette(
        bits=grid.bits,
        codebook=grid.codebook,
        indices=indices.reshape(weights.shape),
        scales=np.maximum(scales, 0.0).astype(np.float32),
    )


def normalize_channels(weights: Float32) -> Float64:
    """Scale output channels to root mean square 1: (rows, out); a channel of zeros stays."""
    columns = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    return np.asarray(columns / np.maximum(np.sqrt(np.mean(columns**2, axis=0)), 1e-30), np.float64)


def round_values(centroids: Float64, bits: int) -> Grid:
    """Make a grid of float values: the largest magnitude becomes 127 of an int8 codebook.

    Args:
        centroids: (entries,) in root mean squares of a channel.
        bits: of an index.
    """
    clip_ratio = max(float(np.abs(centroids).max()), 1e-6)
    return Grid(bits, np.unique(np.rint(centroids / clip_ratio * CODEBOOK_MAX)).astype(np.int8), clip_ratio)


def stretch_codebook(normalized: Float64, bits: int, codebook: npt.NDArray[np.int64]) -> Grid:
    """Stretch a given codebook to where the squared error over the layer is least.

    With n(i) weights w nearest to level l(i), the error is sum w^2 + sum over i of r^2 l(i)^2 n(i) - 2 r l(i) sum w.
    """
    values, levels = np.sort(normalized.ravel()), codebook / CODEBOOK_MAX
    middles = (levels[1:] + levels[:-1]) / 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    errors = []
    for clip_ratio in CLIP_RATIOS:
        edges = np.concatenate([[0], np.searchsorted(values, clip_ratio * middles, side="right"), [len(values)]])
        scaled = clip_ratio * levels
        errors.append(float(scaled**2 @ np.diff(edges) - 2 * scaled @ np.diff(sums[edges])))
    return Grid(bits, codebook.astype(np.int8), float(CLIP_RATIOS[int(np.argmin(errors))]))
