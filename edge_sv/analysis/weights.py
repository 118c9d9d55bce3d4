"""How the weights of a float net are distributed, and what rounding them to few bits loses.

Source of the question: arXiv 2210.17326, which finds ResNet more robust than ECAPA-TDNN below 8 bits and suggests that
ResNet's smoother weight distribution is the reason. The paper shows histograms; the figures that stand for smoothness
here (kurtosis, outliers, roughness) are ours, and so is what low-bit loss they are set against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from edge_sv.artifacts.locate import ModelKind, locate
from edge_sv.artifacts.net import WEIGHTS_FILE, read_net
from edge_sv.artifacts.palette import PALETTES_FILE
from edge_sv.errors import DataError, UsageError
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import METHODS, make_grid
from edge_sv.system.array_types import Float32, Float64
from edge_sv.system.npz import read_arrays
from edge_sv.system.packed import is_there

QUANTIZERS = ("uniform", "powers_of_two", "kmeans")
BITS = (2, 3, 4, 8)
MEASURES = ("excess_kurtosis", "outliers", "roughness")
OUTLIER_RMS = 4.0
BANDWIDTH = 0.4
"""Of the density whose roughness is measured, in root mean squares: of 1,000 gaussian weights the roughness is 1 +- .2,
of 20,000 it is 1 +- .03."""
MIN_WEIGHTS = 1000
"""Layers with fewer weights are listed and left out of the correlations: their shape cannot be told."""
HISTOGRAM_EDGES = np.linspace(-6.0, 6.0, 61)

_CELLS = 8
"""Histogram cells that a bandwidth is divided into."""


@dataclass(frozen=True)
class LayerWeights:
    """The weights of a layer, each output channel scaled to root mean square 1.

    Args:
        layer: its name.
        shape: of the kernel.
        weights: how many.
        excess_kurtosis: E[w^4] - 3; 0 for a gaussian, -1.2 for a uniform distribution.
        outliers: share of weights beyond 4 root mean squares.
        roughness: see `measure_roughness`; 1 for a gaussian.
        losses: `kmeans/4` -> ||W - Q||^2 / ||W||^2, for every quantizer and its bits.
        histogram: (60,) density between -6 and 6 root mean squares.
    """

    layer: str
    shape: tuple[int, ...]
    weights: int
    excess_kurtosis: float
    outliers: float
    roughness: float
    losses: dict[str, float]
    histogram: tuple[float, ...]


@dataclass(frozen=True)
class NetWeights:
    """All kernels of a net; the figures are means over layers, weighted by their numbers of weights."""

    name: str
    family: str
    weights: int
    excess_kurtosis: float
    outliers: float
    roughness: float
    losses: dict[str, float]
    layers: tuple[LayerWeights, ...]


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of a measure with a low-bit loss, over layers with at least 1,000 weights."""

    measure: str
    loss: str
    rho: float
    layers: int


@dataclass(frozen=True)
class WeightAnalysis:
    """What the weights of several nets look like.

    Args:
        nets: in the order they were asked for.
        gaussian: the same figures of a gaussian distribution.
        correlations: over the layers of all nets together; empty when fewer than three can be compared.
    """

    nets: tuple[NetWeights, ...]
    gaussian: LayerWeights
    correlations: tuple[RankCorrelation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


def analyze_weights(models: Sequence[str | Path]) -> WeightAnalysis:
    """Describe the weights of float nets and what few bits lose of them; needs no TensorFlow.

    Args:
        models: bundled nets' names or float nets' folders.

    Raises:
        UsageError: no model, or one that is not a float net.
        DataError: a net is damaged.
    """
    if not models:
        raise UsageError("no net to analyze", hint="give a bundled net's name or a float net's folder")
    nets = tuple(_describe_net(find_float_net(model)) for model in models)
    return WeightAnalysis(nets, describe_gaussian(), _correlate([layer for net in nets for layer in net.layers]))


def find_float_net(model: str | Path) -> Path:
    """Return the folder of a float net whose weights are its own, not yet a palette's.

    Raises:
        UsageError: the model is a converted or a compressed one.
    """
    folder = locate(model).require(ModelKind.FLOAT_NET, hint="give the net it was converted from").path
    if is_there(folder / PALETTES_FILE):
        raise UsageError(
            f"the weights of {model} are rounded already",
            details={"found": PALETTES_FILE},
            hint="give the net it was compressed from",
        )
    return folder


def read_kernels(folder: Path) -> dict[str, Float32]:
    """Read a float net's kernels, layer -> (height, width, in, out); a depthwise one is (height, width, 1, channels).

    Raises:
        DataError: damaged, or without kernels.
    """
    kernels = {}
    for name, array in read_arrays(folder / WEIGHTS_FILE).items():
        layer, _, kind = name.rpartition("/")
        if kind == "depthwise_kernel" and array.ndim == 4:
            kernels[layer] = array.reshape(*array.shape[:2], 1, -1)
        elif kind == "kernel" and array.ndim in (2, 4):
            kernels[layer] = array.reshape((1,) * (4 - array.ndim) + array.shape)
    damaged = [layer for layer, kernel in kernels.items() if not np.isfinite(kernel).all()]
    if damaged:
        raise DataError(f"{folder}: the weights of layer '{damaged[0]}' are not finite")
    if not kernels:
        raise DataError(f"{folder} has no layer with weights", details={"file": WEIGHTS_FILE})
    return kernels


def describe_layer(layer: str, kernel: Float32) -> LayerWeights:
    """Measure the weights of a layer, (height, width, in, out)."""
    columns = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    values = (columns / np.maximum(np.sqrt(np.mean(columns**2, axis=0)), 1e-30)).ravel()
    counts = np.histogram(values, HISTOGRAM_EDGES)[0]
    return LayerWeights(
        layer=layer,
        shape=kernel.shape,
        weights=kernel.size,
        excess_kurtosis=float(np.mean(values**4) / max(np.mean(values**2), 1e-30) ** 2 - 3),
        outliers=float(np.mean(np.abs(values) > OUTLIER_RMS)),
        roughness=measure_roughness(values),
        losses=measure_losses(kernel),
        histogram=tuple((counts / (len(values) * np.diff(HISTOGRAM_EDGES))).tolist()),
    )


def measure_losses(kernel: Float32) -> dict[str, float]:
    """Compute ||W - Q||^2 / ||W||^2 of a kernel for every quantizer at 2, 3, 4 and 8 bits, where it has them."""
    energy = max(float(np.sum(kernel.astype(np.float64) ** 2)), 1e-30)
    losses = {}
    for name in QUANTIZERS:
        for bits in (bits for bits in BITS if bits in METHODS[name].bits):
            rounded = quantize(kernel, make_grid(name, kernel, bits)).weights()
            losses[f"{name}/{bits}"] = float(np.sum((kernel - rounded).astype(np.float64) ** 2)) / energy
    return losses


def measure_roughness(values: Float64) -> float:
    """Compute how much the density of values of root mean square 1 bends: the integral of f''^2, gaussian = 1.

        R(f'') = integral of f''(x)^2 dx,  f a density estimate with a gaussian kernel of bandwidth .4

    Divided by R of a gaussian seen through the same kernel, 3 / (8 sqrt(pi) (1 + h^2)^(5/2)). The terms in which a
    value meets itself are left out, so that the estimate does not depend on how many values there are; for few values
    it may be negative. A flat distribution has less than 1; a peak at zero, heavy tails or steps have more.

    Source: P. Hall and J. S. Marron, "Estimation of integrated squared density derivatives", Statistics and Probability
    Letters 6 (1987), the estimator without diagonal terms; that it stands for the smoothness of weights is ours.
    """
    count, cell = len(values), BANDWIDTH / _CELLS
    reach = float(np.ceil(np.abs(values).max())) + cell
    shares = np.histogram(values, np.arange(-reach, reach + cell, cell))[0] / count
    at = np.arange(-8 * _CELLS, 8 * _CELLS + 1) * cell
    kernel = np.exp(-((at / BANDWIDTH) ** 2) / 2) / (np.sqrt(2 * np.pi) * BANDWIDTH)
    bent = np.convolve(shares, kernel * (at**2 / BANDWIDTH**4 - 1 / BANDWIDTH**2))
    diagonal = _gaussian_roughness(BANDWIDTH) / count
    pairs = (float(np.sum(bent**2)) * cell - diagonal) * count / (count - 1)
    return pairs / _gaussian_roughness(np.sqrt(1 + BANDWIDTH**2))


def _gaussian_roughness(deviation: float) -> float:
    return float(3 / (8 * np.sqrt(np.pi) * deviation**5))


def describe_gaussian(count: int = 65536) -> LayerWeights:
    """Measure evenly spaced quantiles of a gaussian distribution, as if they were a layer."""
    values = ndtri((np.arange(count) + 0.5) / count)
    return describe_layer("gaussian", np.asarray(values, np.float32).reshape(1, 1, -1, 1))


def _describe_net(folder: Path) -> NetWeights:
    net = read_net(folder)
    layers = tuple(describe_layer(layer, kernel) for layer, kernel in read_kernels(folder).items())
    sizes = np.array([layer.weights for layer in layers])

    def mean(values: list[float]) -> float:
        return float(np.average(values, weights=sizes))

    return NetWeights(
        name=str(net.name),
        family=str(net.family),
        weights=int(sizes.sum()),
        excess_kurtosis=mean([layer.excess_kurtosis for layer in layers]),
        outliers=mean([layer.outliers for layer in layers]),
        roughness=mean([layer.roughness for layer in layers]),
        losses={key: mean([layer.losses[key] for layer in layers]) for key in layers[0].losses},
        layers=layers,
    )


def _correlate(layers: list[LayerWeights]) -> tuple[RankCorrelation, ...]:
    from scipy.stats import rankdata  # here, because scipy.stats loads slowly

    compared = [layer for layer in layers if layer.weights >= MIN_WEIGHTS]
    if len(compared) < 3:
        return ()
    losses = {key: rankdata([layer.losses[key] for layer in compared]) for key in compared[0].losses}
    found = []
    for measure in MEASURES:
        ranks = rankdata([getattr(layer, measure) for layer in compared])
        if np.ptp(ranks) == 0:
            continue
        for loss, other in losses.items():
            found.append(RankCorrelation(measure, loss, float(np.corrcoef(ranks, other)[0, 1]), len(compared)))
    return tuple(found)
