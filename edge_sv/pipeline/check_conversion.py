"""The check stage: does the converted model compute what the float net computes, and the device the same?

On one set of real recordings run the float net in Keras, the int8 model in LiteRT's reference kernels, in LiteRT's
default kernels and in TensorFlow Lite Micro. Three gates; a model that fails one is not packaged:

1. TensorFlow Lite Micro equals the reference kernels bit for bit, at every segment of up to 32 recordings.
2. The cosine of int8 and float embedding is at least 0.99 at every recording.
3. On a development list, when there is one, the int8 EER is not above the float EER by more than 2 % of it. A list
   cannot tell less than one target trial, so an EER that is higher by up to one target trial's share passes too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.check_report import CheckReport
from edge_sv.embedders.keras import KerasEmbedder
from edge_sv.embedders.litert import LiteRTEmbedder
from edge_sv.embedders.tflm import TflmEmbedder
from edge_sv.errors import AccuracyGateFailed, DataError
from edge_sv.evaluation.evaluate import embed_recordings, score_list
from edge_sv.runtimes.layer_trace import first_difference, layer_losses
from edge_sv.scoring.metrics import eer
from edge_sv.scoring.speech_sample import SpeechSample
from edge_sv.scoring.trials import TrialList
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Steps

MIN_COSINE = 0.99
MAX_EER_INCREASE = 0.02
EXACT_RECORDINGS = 32
TRACED_SEGMENTS = 4


def check_artifact(
    artifact: ModelArtifact,
    net: Path,
    data: SpeechSample,
    *,
    float_model: Callable[[], bytes],
    micro: bool = True,
    steps: Steps | None = None,
) -> CheckReport:
    """Run the gates.

    Args:
        artifact: the converted model.
        net: folder of the float net it was made from.
        data: what to run them on.
        float_model: converts the net without quantization; called when a gate fails, to find the layer.
        micro: run the first gate; without it the model is not for TensorFlow Lite Micro.
        steps: reports what is being done.

    Raises:
        AccuracyGateFailed: a gate failed; names the first layer that differs, or the one that loses most.
        ToolMissing: TensorFlow or tflite-micro is not installed.
        DataError: no recordings, or one that cannot be used.
    """
    if not data.files:
        raise DataError(f"nothing to check with: {data.source} has no recordings")
    exact_segments = check_bit_exact(artifact, data) if micro else 0

    def embed(label: str, embedder: Any) -> dict[str, Float32]:
        return embed_recordings(embedder, data.files, progress=steps(label) if steps else None)

    wanted = embed("float, Keras", KerasEmbedder(net))
    got = embed("int8, reference kernels", functools.partial(LiteRTEmbedder, artifact, reference_kernels=True))
    default = embed("int8, default kernels", functools.partial(LiteRTEmbedder, artifact))
    cosines = _cosines(wanted, got)
    report = CheckReport(
        source=data.source,
        recordings=len(data.files),
        exact_segments=exact_segments,
        cosine_min=min(cosines.values()),
        cosine_mean=float(np.mean(list(cosines.values()))),
        default_kernels_cosine_min=min(_cosines(wanted, default).values()),
        **_error_rates(data.trials, wanted, got),
        embeddings=got,
    )
    worst = min(cosines, key=lambda name: cosines[name])
    _apply_gates(report, worst, lambda: _worst_layer(artifact, float_model(), data, worst))
    return report


def _error_rates(trials: TrialList | None, wanted: Mapping[str, Float32], got: Mapping[str, Float32]) -> dict[str, Any]:
    """Measure the EER of the float net and of the converted one; without a trial list there is none."""
    if not trials:
        return {"trials": 0, "targets": 0, "eer_float": None, "eer_int8": None}
    return {
        "trials": len(trials),
        "targets": int(trials.labels.sum()),
        "eer_float": eer(score_list(trials, wanted), trials.labels),
        "eer_int8": eer(score_list(trials, got), trials.labels),
    }


def compare_with_float(
    report: CheckReport, net: Path, data: SpeechSample, *, steps: Steps | None = None
) -> CheckReport:
    """Add to a report what compression has cost: the distance to the net as it was before.

    Args:
        report: of the converted model.
        net: folder of the uncompressed float net.
        data: what the report was made on.
        steps: reports what is being done.
    """
    wanted = embed_recordings(
        KerasEmbedder(net), data.files, progress=steps("float, before compression") if steps else None
    )
    cosines = list(_cosines(wanted, report.embeddings).values())
    trials = data.trials
    return replace(
        report,
        uncompressed={
            "cosine_min": min(cosines),
            "cosine_mean": float(np.mean(cosines)),
            "eer": eer(score_list(trials, wanted), trials.labels) if trials else None,
        },
    )


def check_bit_exact(artifact: ModelArtifact, data: SpeechSample) -> int:
    """Compare TensorFlow Lite Micro with LiteRT's reference kernels; return the number of segments, all equal.

    Raises:
        AccuracyGateFailed: they differ; names the first layer that does.
    """
    reference, device = LiteRTEmbedder(artifact, reference_kernels=True), TflmEmbedder(artifact)
    compared = 0
    for name, segments in data.evenly(EXACT_RECORDINGS).segments(artifact.features, artifact.segments):
        for number, segment in enumerate(segments):
            quantized = reference.input.quantize(segment)
            if not np.array_equal(reference.invoke(quantized), device.invoke(quantized)):
                layer = first_difference(artifact.model, artifact.model, quantized)
                raise AccuracyGateFailed(
                    "TensorFlow Lite Micro does not compute what the reference kernels compute",
                    details={
                        "recording": f"{name}, segment {number}",
                        **({"layer": f"'{layer.layer}' ({layer.kind}) differs first: {layer}"} if layer else {}),
                    },
                    hint="build that layer from other operators",
                )
            compared += 1
    return compared


def allowed_eer(eer_float: float, targets: int) -> float:
    """Return the highest int8 EER that passes: 2 % above float, or one of the list's target trials above it."""
    return eer_float + max(MAX_EER_INCREASE * eer_float, 1 / targets)


def _apply_gates(report: CheckReport, worst: str, layer: Callable[[], dict[str, str]]) -> None:
    if report.cosine_min < MIN_COSINE:
        raise AccuracyGateFailed(
            f"int8 and float embeddings differ: cosine {report.cosine_min:.4f}, at least {MIN_COSINE} is needed",
            details={"recording": worst, **layer()},
            hint="calibrate with more or other speech (--data), or keep that layer's range smaller",
        )
    if report.eer_float is None or report.eer_int8 is None:
        return
    highest = allowed_eer(report.eer_float, report.targets)
    if report.eer_int8 > highest:
        raise AccuracyGateFailed(
            f"int8 verifies worse than float: EER {report.eer_int8:.4%}, at most {highest:.4%} is allowed",
            details={"float": f"EER {report.eer_float:.4%}, {report.targets} target trials", **layer()},
            hint="calibrate with more or other speech (--data)",
        )


def _worst_layer(artifact: ModelArtifact, float_model: bytes, data: SpeechSample, recording: str) -> dict[str, str]:
    segments = data.segments_of(recording, artifact.features, artifact.segments)[:TRACED_SEGMENTS]
    losses = layer_losses(artifact.model, float_model, list(segments))
    worst = max(losses, key=lambda loss: loss.lost_db)
    return {"layer": f"'{worst.layer}' ({worst.kind}) loses most: {worst}"}


def _cosines(a: Mapping[str, Float32], b: Mapping[str, Float32]) -> dict[str, float]:
    return {name: float(a[name] @ b[name]) for name in a}
