"""Where in a net the quantization error comes from: signal-to-noise ratio at the output of each layer.

Three models run on the same segments: the float net F, the float net with the converted model's weights and biases W,
and the converted model Q. Then, at each layer's output,

    total        Q against F    weights and activations rounded
    weights      W against F    what the rounded weights (and biases) cost
    activations  Q against W    what rounding the activations adds

in dB of the signal's power to the noise's. The split is ours; that layers should be told apart at all, and that the
distance of the weights does not tell how much an output suffers, is also found by arXiv 2606.08078.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.analysis.float_reference import convert_float, find_reference
from edge_sv.analysis.graphs import read_biases, read_weights, weight_formats, with_weights
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import find_net
from edge_sv.embedders import open_artifact
from edge_sv.errors import DataError
from edge_sv.runtimes.layer_trace import LayerLoss, Tensors, attribute_loss, decibel, signal_to_noise, trace_values
from edge_sv.scoring.speech_sample import ANALYSIS_RECORDINGS, held_out_sample
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Progress, report_progress
from edge_sv.tflite.flatbuffer import operators, parse_model, tensor_name

SEGMENTS = 12
"""Segments that are traced."""
WORST = 3


@dataclass(frozen=True)
class LayerError:
    """The quantization error of a layer; ratios in dB, at most 120.

    Args:
        layer: the operator's output.
        kind: `CONV_2D`, ...
        weight_bits: of its weights as they lie in the file, None without weights.
        weight_values: different integers among them, which are few where a palette lies in 8 bits.
        weight_db: ||W||^2 to ||W - Q||^2 of its weights alone.
        total_db: at its output, everything rounded.
        weights_db: at its output, the weights of this and all earlier layers rounded.
        activations_db: at its output, what rounding the activations adds.
        lost_db: how much is lost in this layer for good, see `edge_sv.runtimes.layer_trace.LayerLoss`.
        worst: whether it is among the three layers that lose most.
    """

    layer: str
    kind: str
    weight_bits: int | None
    weight_values: int | None
    weight_db: float | None
    total_db: float
    weights_db: float | None
    activations_db: float | None
    lost_db: float
    worst: bool = False


@dataclass(frozen=True)
class LayerAnalysis:
    """The quantization error of a converted model, layer by layer in the order they run.

    Args:
        model: as it was asked for.
        recipe: how it was compressed.
        against: folder of the float net.
        source: where the recordings come from.
        segments: how many were run.
        embedding_cosine: mean cosine of a segment's embedding with the float net's.
        layers: those that both models have.
    """

    model: str
    recipe: str
    against: str
    source: str
    segments: int
    embedding_cosine: float
    layers: tuple[LayerError, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


def analyze_layers(
    model: str | Path, *, against: str | Path | None = None, index: Path | None = None, progress: Progress | None = None
) -> LayerAnalysis:
    """Measure the quantization error at every layer of a converted model.

    Args:
        model: see `edge_sv.embedders.open_artifact`.
        against: a float net; None: the one that the model was converted from.
        index: table of speech files; None: the bundled synthetic voices.
        progress: called with the segments done and all.

    Raises:
        UsageError: there is no such model, or `against` is not a float net.
        DataError: the model was never converted, its float net is not here, or the two are different nets.
        ToolMissing: TensorFlow is not installed, which converts the float net.
    """
    artifact = open_artifact(model)
    net = find_reference(model, artifact) if against is None else find_net(against)
    speech = held_out_sample(index, count=ANALYSIS_RECORDINGS)
    segments = speech.first_segments(artifact.features, artifact.segments, count=SEGMENTS)
    float_model = convert_float(net)
    rounded = with_weights(float_model, read_weights(artifact.model), read_biases(artifact.model))
    traces = _trace((float_model, rounded, artifact.model), segments, progress)
    ratios = [signal_to_noise((trace[a], trace[b]) for trace in traces) for a, b in ((0, 2), (0, 1), (1, 2))]
    losses = attribute_loss(artifact.model, ratios[0])
    if not losses:
        raise DataError(
            f"{model} and {net} have no layer in common",
            details={"model": artifact.name, "float net": str(net)},
            hint="give the float net that the model was converted from as --against",
        )
    return LayerAnalysis(
        model=str(model),
        recipe=artifact.recipe,
        against=str(net),
        source=speech.source,
        segments=len(segments),
        embedding_cosine=_embedding_cosine([(trace[0], trace[2]) for trace in traces], artifact.model),
        layers=_mark_worst(_join(losses, ratios, artifact, float_model)),
    )


def _join(
    losses: list[LayerLoss], ratios: Sequence[Mapping[str, float]], artifact: ModelArtifact, float_model: bytes
) -> list[LayerError]:
    total, weights, activations = ratios
    wanted, got, forms = read_weights(float_model), read_weights(artifact.model), weight_formats(artifact.model)
    return [
        LayerError(
            layer=loss.layer,
            kind=loss.kind,
            weight_bits=forms[loss.layer][0] if loss.layer in forms else None,
            weight_values=forms[loss.layer][1] if loss.layer in forms else None,
            weight_db=_weight_db(wanted.get(loss.layer), got.get(loss.layer)),
            total_db=total[loss.layer],
            weights_db=weights.get(loss.layer),
            activations_db=activations.get(loss.layer),
            lost_db=loss.lost_db,
        )
        for loss in losses
    ]


def _weight_db(wanted: Float32 | None, got: Float32 | None) -> float | None:
    if wanted is None or got is None or wanted.shape != got.shape:
        return None
    exact = wanted.astype(np.float64)
    return decibel(float(np.sum(exact**2)), float(np.sum((exact - got) ** 2)))


def _mark_worst(layers: list[LayerError]) -> tuple[LayerError, ...]:
    worst = sorted((layer for layer in layers if layer.lost_db > 0), key=lambda layer: -layer.lost_db)[:WORST]
    return tuple(replace(layer, worst=layer in worst) for layer in layers)


def _embedding_cosine(traces: list[tuple[Tensors, Tensors]], model: bytes) -> float:
    graph = parse_model(model)
    output = tensor_name(graph.subgraphs[0].tensors[operators(graph)[-1].outputs[0]])
    pairs = [(wanted[output].ravel(), got[output].ravel()) for wanted, got in traces if output in wanted]
    return float(np.mean([_cosine(*pair) for pair in pairs])) if pairs else float("nan")


def _cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30))


def _trace(models: Sequence[bytes], segments: Sequence[Float32], progress: Progress | None) -> list[list[Tensors]]:
    """Run every model on every segment; return the values of all tensors, segment by segment, model by model."""
    traces: list[list[Tensors]] = []
    for number, segment in enumerate(segments):
        report_progress(progress, number, len(segments))
        traces.append([trace_values(model, segment) for model in models])
    report_progress(progress, len(segments), len(segments))
    return traces
