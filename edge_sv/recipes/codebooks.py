"""Quantizers: each chooses the grid of a layer from its weights.

A quantizer is a function (normalized weights, bits) -> `Grid`, where the weights are (rows, out), every output channel
scaled to root mean square 1. `edge_sv.recipes.quantizers.METHODS` names them.
"""

from __future__ import annotations

import numpy as np

from edge_sv.artifacts.palette import CODEBOOK_MAX
from edge_sv.recipes.grid import Grid, round_values, stretch_codebook
from edge_sv.system.array_types import Float64

KMEANS_STEPS = 50


def uniform(normalized: Float64, bits: int) -> Grid:
    """Space 2^b - 1 values evenly and symmetrically: -n..n, n = 2^(b-1) - 1.

    Q(w) = a round(clip(w / a, -1, 1) n) / n. Source: arXiv 2210.17326, section 2 (uniform quantization); the clip a
    that minimizes the squared error is ours, the paper learns it. For b = 1 see the binary quantizers.
    """
    steps = (1 << (bits - 1)) - 1
    return stretch_codebook(normalized, bits, np.arange(-steps, steps + 1) * (CODEBOOK_MAX // steps))


def powers_of_two(normalized: Float64, bits: int) -> Grid:
    """Space values by factors of two, so that a product is a shift: 0 and +-2^-k, k = 0 .. 2^(b-1) - 2.

    Source: arXiv 2210.17326, section 2 (powers-of-two quantization). Down to 2^-6 in an int8 codebook: 64 / 2^6 = 1.
    """
    count = min((1 << (bits - 1)) - 1, 7)
    magnitudes = 64 >> np.arange(count)
    return stretch_codebook(normalized, bits, np.concatenate([-magnitudes, [0], magnitudes[::-1]]))


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
    return round_values(centroids, bits)


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
