"""What rounding a float net's weights does to its embeddings when nothing is trained afterwards.

The same relative error of the weights need not hurt two nets alike. So the weights are rounded in the float model, all
layers or one alone, and the embeddings are compared. The figure is ours:

    embedding_db = 10 log10( sum |e - mean e|^2 / sum |e - e'|^2 )

with e the float net's embeddings of length 1 and e' the rounded net's: what tells recordings apart against what
rounding changes. At 0 dB the two are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.analysis.float_reference import convert_float
from edge_sv.analysis.graphs import as_kernel, from_kernel, read_weights, with_weights
from edge_sv.analysis.weights import BITS, QUANTIZERS, find_float_net
from edge_sv.artifacts.net import read_net
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import METHODS, make_grid
from edge_sv.runtimes.interpreter import run_each
from edge_sv.runtimes.layer_trace import decibel
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.scoring.speech_sample import ANALYSIS_RECORDINGS, held_out_sample
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Progress, report_progress

SEGMENTS = 32
ALONE = ("kmeans", 2)
"""Quantizer and bits with which single layers are rounded."""


@dataclass(frozen=True)
class RoundingEffect:
    """All layers rounded.

    Args:
        quantizer: a key of `QUANTIZERS`.
        bits: of a weight.
        embedding_db: see the module; higher is better.
        cosine: mean cosine of a segment's embeddings before and after.
    """

    quantizer: str
    bits: int
    embedding_db: float
    cosine: float


@dataclass(frozen=True)
class LayerEffect:
    """One layer rounded alone, to 2 bits by k-means, its output compared by the embeddings."""

    layer: str
    embedding_db: float


@dataclass(frozen=True)
class RoundingAnalysis:
    """What rounding does to a net's embeddings.

    Args:
        model: as it was asked for.
        source: where the recordings come from.
        segments: how many were embedded.
        effects: all layers rounded, for each quantizer and its bits.
        layers: each layer alone, in the order of the net.
    """

    model: str
    source: str
    segments: int
    effects: tuple[RoundingEffect, ...]
    layers: tuple[LayerEffect, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


def measure_rounding(
    model: str | Path, *, index: Path | None = None, progress: Progress | None = None
) -> RoundingAnalysis:
    """Round a float net's weights and compare its embeddings.

    Args:
        model: a bundled net's name or a float net's folder.
        index: table of speech files; None: the bundled synthetic voices.
        progress: called with the rounded nets that have run, and all.

    Raises:
        UsageError: not a float net, or its weights are rounded already.
        DataError: the net or a recording is damaged.
        ToolMissing: TensorFlow is not installed, which converts the float net.
    """
    folder, speech = find_float_net(model), held_out_sample(index, count=ANALYSIS_RECORDINGS)
    features, rule = _read_front_end(folder)
    segments = speech.first_segments(features, rule, count=SEGMENTS)
    float_model = convert_float(folder)
    weights = read_weights(float_model)
    wanted = _embed(float_model, segments)
    forms = [(name, bits) for name in QUANTIZERS for bits in BITS if bits in METHODS[name].bits]

    def run(form: tuple[str, int], layers: Iterable[str]) -> Float32:
        rounded = {layer: _round(weights[layer], *form) for layer in layers}
        return _embed(with_weights(float_model, rounded), segments)

    steps = _count(progress, len(forms) + len(weights))
    effects = []
    for form in forms:
        got = run(form, weights)
        effects.append(RoundingEffect(*form, _embedding_db(wanted, got), float(np.sum(wanted * got, axis=1).mean())))
        next(steps)
    alone = []
    for layer in weights:
        alone.append(LayerEffect(layer, _embedding_db(wanted, run(ALONE, [layer]))))
        next(steps)
    return RoundingAnalysis(str(model), speech.source, len(segments), tuple(effects), tuple(alone))


def _read_front_end(folder: Path) -> tuple[FeatureConfig, SegmentRule]:
    net = read_net(folder)
    return net.features, net.segments


def _round(weights: Float32, quantizer: str, bits: int) -> Float32:
    kernel = as_kernel(weights)
    return from_kernel(quantize(kernel, make_grid(quantizer, kernel, bits)).weights(), weights)


def _embed(model: bytes, segments: list[Float32]) -> Float32:
    """Run a float model in LiteRT, (num_segments, embedding_dim) of length 1."""
    return normalize_length(run_each(LiteRTInterpreter(model), segments))


def _embedding_db(wanted: Float32, got: Float32) -> float:
    centred = (wanted - wanted.mean(axis=0)).astype(np.float64)
    return decibel(float(np.sum(centred**2)), float(np.sum((wanted - got).astype(np.float64) ** 2)))


def _count(progress: Progress | None, total: int) -> Iterator[None]:
    for done in range(1, total + 1):
        report_progress(progress, done, total)
        yield
