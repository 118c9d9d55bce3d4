"""Does a package with lookup tables compute what its model computed without them? Both run in TensorFlow Lite Micro.

A table whose form does not fit its weights is read without an error, as other weights; so every package is compared.
"""

from __future__ import annotations

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.errors import AccuracyGateFailed
from edge_sv.package import DevicePackage
from edge_sv.pipeline.check_conversion import EXACT_RECORDINGS
from edge_sv.runtimes.layer_trace import compare_traces, trace_tflm
from edge_sv.scoring.speech_sample import SpeechSample


def check_tables(package: DevicePackage, plain: ModelArtifact, data: SpeechSample) -> int:
    """Compare a package's model with the one before on real segments; return their number, all equal.

    Args:
        package: its model has lookup tables.
        plain: the same model without them.
        data: recordings.

    Raises:
        AccuracyGateFailed: they differ; names the first layer that does.
        DataError: the package's model does not run.
        ToolMissing: tflite-micro is not installed.
    """
    before, after = TflmEmbedder(plain), TflmEmbedder(package.artifact)
    compared = 0
    for name, segments in data.evenly(EXACT_RECORDINGS).segments(plain.features, plain.segments):
        for number, segment in enumerate(segments):
            quantized = before.input.quantize(segment)
            if not np.array_equal(before.invoke(quantized), after.invoke(quantized)):
                traces = (trace_tflm(model, quantized) for model in (plain.model, package.model))
                layer = compare_traces(plain.model, *traces)
                difference = f"'{layer.layer}' ({layer.kind}) differs first: {layer}" if layer else "none by itself"
                raise AccuracyGateFailed(
                    "lookup tables change what the model computes",
                    details={"recording": f"{name}, segment {number}", "layer": difference},
                    hint="build with --no-lut, and report this with the model: it is a bug of edge_sv",
                )
            compared += 1
    return compared
