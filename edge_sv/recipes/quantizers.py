"""Low-bit quantizers: which values a layer's weights may take, and which one each weight takes.

A quantizer looks at a layer once and gives a `Grid`: a codebook and how far it reaches. From there every quantizer
works alike. With w a weight of output channel o, r(o) the root mean square of that channel and c the codebook / 127:

    assign   q = the entry of c nearest to w / (clip_ratio * r(o))
    scale    s(o) = sum(w q) / sum(q q), which minimizes sum (w - s q)^2

so a grid needs no state that training would have to keep: the same two lines, on the weights as they are now, are the
straight-through forward pass and the final compression. Source of the closed-form scale: least squares, as in
M. Rastegari et al., XNOR-Net, arXiv 1603.05279, equation 6, where q is a sign and s the mean of |w|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.palette import CODEBOOK_MAX, Palette
from edge_sv.errors import UsageError, unknown_name
from edge_sv.system.array_types import Float32, Float64, Int8

KMEANS_STEPS = 50
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


def make_grid(name: str, weights: Float32, bits: int, *, per_channel: bool = False) -> Grid:
    """Choose the values for a layer.

    Args:
        name: a key of GRIDS.
        weights: (height, width, in, out).
        bits: 1 to 8.
        per_channel: a codebook for each output channel; only k-means and the adaptive binary quantizer learn one.

    Raises:
        UsageError: unknown quantizer, or bits or a granularity it does not have.
    """
    if name not in GRIDS:
        raise unknown_name("quantizer", name, GRIDS)
    choose, method = GRIDS[name], METHODS[name]
    if bits not in method.bits:
        raise UsageError(f"quantizer '{name}' has {method.bits[0]} to {method.bits[-1]} bits, not {bits}")
    if not per_channel:
        return choose(_normalized(weights), bits)
    if not method.learned:
        raise UsageError(f"quantizer '{name}' has one fixed codebook, so it has none per channel")
    grids = [choose(_normalized(weights[..., o : o + 1]), bits) for o in range(weights.shape[-1])]
    clip_ratio = max(grid.clip_ratio for grid in grids)
    entries = max(len(grid.codebook) for grid in grids)
    rows = [np.rint(grid.codebook.astype(np.float64) * grid.clip_ratio / clip_ratio) for grid in grids]
    filled = [np.pad(row, (0, entries - len(row)), mode="edge") for row in rows]
    return Grid(bits, np.stack(filled).astype(np.int8), clip_ratio)


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


def uniform(normalized: Float64, bits: int) -> Grid:
    """Space 2^b - 1 values evenly and symmetrically: -n..n, n = 2^(b-1) - 1.

    Q(w) = a round(clip(w / a, -1, 1) n) / n. Source: arXiv 2210.17326, section 2 (uniform quantization); the clip a
    that minimizes the squared error is ours, the paper learns it. For b = 1 see the binary quantizers.
    """
    steps = (1 << (bits - 1)) - 1
    return _with_best_clip_ratio(normalized, bits, np.arange(-steps, steps + 1) * (CODEBOOK_MAX // steps))


def powers_of_two(normalized: Float64, bits: int) -> Grid:
    """Space values by factors of two, so that a product is a shift: 0 and +-2^-k, k = 0 .. 2^(b-1) - 2.

    Source: arXiv 2210.17326, section 2 (powers-of-two quantization). Down to 2^-6 in an int8 codebook: 64 / 2^6 = 1.
    """
    count = min((1 << (bits - 1)) - 1, 7)
    magnitudes = 64 >> np.arange(count)
    return _with_best_clip_ratio(normalized, bits, np.concatenate([-magnitudes, [0], magnitudes[::-1]]))


def kmeans(normalized: Float64, bits: int) -> Grid:
    """Learn the values: k-means over the layer's weights, each output channel scaled to root mean square 1.

    Centroids start at the means of bins of equal mass and follow Lloyd's iteration. Source: arXiv 2406.05359, section 3
    (k-means based adaptive uniform-precision quantization: one codebook for a layer, values from its distribution); the
    normalization of channels, and that the codebook is rounded to int8, are ours.
    """
    values = np.sort(normalized.ravel())
    count = min(1 << bits, len(np.unique(values)))
    centroids = np.array([part.mean() for part in np.array_split(values, count)])
    sums = np.concatenate([[0.0], np.cumsum(values)])
    for _ in range(KMEANS_STEPS):
        edges = np.concatenate([[0], np.searchsorted(values, (centroids[1:] + centroids[:-1]) / 2), [len(values)]])
        sizes = np.diff(edges)
        moved = np.where(sizes > 0, np.diff(sums[edges]) / np.maximum(sizes, 1), centroids)
        if np.allclose(moved, centroids, rtol=0, atol=1e-9):
            break
        centroids = moved
    return _rounded(centroids, bits)


def binary_static(_normalized: Float64, bits: int) -> Grid:
    """Keep the sign: -1 and +1, the same pair for every layer.

    Source: the static quantizer of arXiv 2406.05359 (its equations could not be read; this is the usual form, arXiv
    1603.05279): w = s sign(w), s the mean of the channel's |w|.
    """
    return Grid(bits, np.array([-CODEBOOK_MAX, CODEBOOK_MAX], np.int8), 1.0)


def binary_adaptive(normalized: Float64, _bits: int) -> Grid:
    """Learn the pair of values from the layer's weights: k-means with two centroids, not symmetric.

    Source: the adaptive quantizer of arXiv 2406.05359, as far as its abstract tells: a pair that follows the
    distribution. The layer's pair and a scale for each channel are ours.
    """
    return kmeans(normalized, 1)


STRAIGHT_THROUGH = "edge_sv.compress.straight_through:straight_through_method"
"""Trains a net whose kernels are rounded by a grid at every step."""


@dataclass(frozen=True)
class Method:
    """A compression method: the one entry by which recipes, training and conversion know it.

    Args:
        bits: that a weight may have.
        description: one line for people.
        grid: chooses the values for a layer: (normalized weights, bits) -> grid; None: training alone finds them.
        learned: the values come from the layer's weights, so a codebook for each output channel makes sense.
        trainer: `module:function` that makes the form in which a net trains, see `edge_sv.compress.methods`.
        rounds_activations: activations are rounded in training, too, so that their ranges come with the net.
        has_clusters: a rule may say how many values a layer has.
    """

    bits: range
    description: str
    grid: Callable[[Float64, int], Grid] | None = None
    learned: bool = False
    trainer: str = STRAIGHT_THROUGH
    rounds_activations: bool = False
    has_clusters: bool = False


METHODS: dict[str, Method] = {
    "uniform": Method(range(2, 9), "Space 2^b - 1 values evenly and symmetrically", uniform),
    "powers_of_two": Method(range(2, 5), "Space values by factors of two: a product is a shift", powers_of_two),
    "kmeans": Method(range(1, 9), "Learn the values by k-means over the layer's weights", kmeans, learned=True),
    "binary_static": Method(range(1, 2), "Keep the sign: -1 and +1, the same pair for every layer", binary_static),
    "binary_adaptive": Method(range(1, 2), "Learn the pair of values from the layer", binary_adaptive, learned=True),
    "cluster": Method(
        range(1, 9),
        "Train values that many weights share (weight clustering); activations are rounded in training, too",
        trainer="edge_sv.compress.cluster:cluster_method",
        rounds_activations=True,
        has_clusters=True,
    ),
    "fake_quant": Method(
        range(4, 9, 4),
        "Space values evenly, a scale for each output channel; activations are rounded in training, too",
        trainer="edge_sv.compress.quantization_aware:quantization_aware_method",
        rounds_activations=True,
    ),
}
"""A method is one entry here: by this name recipes call it."""
GRIDS = {name: method.grid for name, method in METHODS.items() if method.grid is not None}
"""Methods that round a given kernel, without training."""


def _normalized(weights: Float32) -> Float64:
    """Scale output channels to root mean square 1: (rows, out); a channel of zeros stays."""
    columns = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    return np.asarray(columns / np.maximum(np.sqrt(np.mean(columns**2, axis=0)), 1e-30), np.float64)


def _rounded(centroids: Float64, bits: int) -> Grid:
    clip_ratio = max(float(np.abs(centroids).max()), 1e-6)
    return Grid(bits, np.unique(np.rint(centroids / clip_ratio * CODEBOOK_MAX)).astype(np.int8), clip_ratio)


def _with_best_clip_ratio(normalized: Float64, bits: int, codebook: npt.NDArray[np.int64]) -> Grid:
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
