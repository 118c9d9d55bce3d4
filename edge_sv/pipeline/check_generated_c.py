"""Does generated C compute what TensorFlow Lite Micro computes? A package's sources are compiled here and compared.

What is compiled is what the package holds, so nothing can come between the check and the device but the compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import IntegerEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.embedders.compiled import compile_package, package_sources
from edge_sv.errors import AccuracyGateFailed, ToolMissing
from edge_sv.package import DevicePackage
from edge_sv.package.manifest import GeneratedPart, Port
from edge_sv.pipeline.check_conversion import EXACT_RECORDINGS
from edge_sv.plugins.generator import find_generator
from edge_sv.runtimes.generated_c import CompiledNet
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.runtimes.interpreter import Details, describe_tensor
from edge_sv.runtimes.tflm_process import trace_isolated
from edge_sv.scoring.speech_sample import SpeechSample
from edge_sv.system.array_types import Int8
from edge_sv.tflite.flatbuffer import operators, parse_model, tensor_name

Arrays = Sequence[npt.NDArray[Any]]


def check_speaker_package(package: DevicePackage, data: SpeechSample, *, cache: Path | None = None) -> int:
    """Compare a package's C with TensorFlow Lite Micro on real segments; return their number, all equal.

    Raises:
        AccuracyGateFailed: they differ; names the first layer that does.
        ToolMissing: there is no C compiler.
    """
    device, reference = compile_package(package, cache=cache), _exact_embedder(package.artifact)
    segments = list(_segments(package, data, reference))
    for name, segment in segments:
        if not np.array_equal(device.invoke(segment), reference.invoke(segment)):
            raise _differs(package, [segment.reshape(reference.input.shape)], name)
    return len(segments)


def _exact_embedder(artifact: ModelArtifact) -> IntegerEmbedder:
    """Open a model where it computes what devices compute: in LiteRT's reference kernels where TFLM is missing."""
    try:
        return TflmEmbedder(artifact)
    except ToolMissing:
        return LiteRTEmbedder(artifact, reference_kernels=True)


def check_net_only_package(
    package: DevicePackage, vectors: Sequence[tuple[Arrays, Arrays]], *, cache: Path | None = None
) -> int:
    """Compare a net-only package's C with what TensorFlow Lite Micro gave; return the number of vectors, all equal.

    Args:
        package: holds generated code.
        vectors: inputs and outputs.
        cache: where compiled libraries are kept; None: the user's cache.

    Raises:
        AccuracyGateFailed: they differ; names the first layer that does.
        ToolMissing: there is no C compiler.
    """
    generated = _generated(package)
    inputs_of, outputs_of = (_describe(ports) for ports in (generated.inputs, generated.outputs))
    library = compile_library(package_sources(package), cache=cache)
    net = CompiledNet(library, generated.prefix, inputs=inputs_of, outputs=outputs_of)
    for number, (inputs, outputs) in enumerate(vectors):
        for got, wanted in zip(net.run(*inputs), outputs, strict=True):
            if got.tobytes() != np.ascontiguousarray(wanted).tobytes():
                raise _differs(package, inputs, f"vector {number}")
    return len(vectors)


def first_generated_difference(package: DevicePackage, inputs: Arrays) -> str | None:
    """Name the first operator whose C differs from TensorFlow Lite Micro when each tensor has memory of its own."""
    got = find_generator(_generated(package).generator).trace(package.model, inputs)
    graph = parse_model(package.model)
    indices = [index for operator in operators(graph) for index in operator.outputs if index in got]
    wanted = trace_isolated(package.model, inputs, indices)
    for operator in operators(graph):
        for index in operator.outputs:
            if index in got and got[index].tobytes() != np.ascontiguousarray(wanted[index]).tobytes():
                return f"'{tensor_name(graph.subgraphs[0].tensors[index])}' ({operator.kind})"
    return None


def _differs(package: DevicePackage, inputs: Arrays, where: str) -> AccuracyGateFailed:
    try:
        layer = first_generated_difference(package, inputs)
    except ToolMissing:  # TensorFlow Lite Micro finds the layer; the difference is sure without it
        layer = None
    plan = _generated(package).plan
    first = f"{layer} differs first" if layer else f"none by itself: the {plan} plan calls them wrongly"
    return AccuracyGateFailed(
        "the generated C does not compute what TensorFlow Lite Micro computes",
        details={"at": where, "layer": first},
        hint="this is a bug of edge_sv: please report it with the model; --target tflite-micro does without this code",
    )


def _segments(package: DevicePackage, data: SpeechSample, reference: IntegerEmbedder) -> Iterator[tuple[str, Int8]]:
    """Yield the segments of some recordings, (frames, num_mels) each, and where they are from."""
    artifact = package.artifact
    for name, segments in data.evenly(EXACT_RECORDINGS).segments(artifact.features, artifact.segments):
        for number, segment in enumerate(segments):
            yield f"{name}, segment {number}", reference.input.quantize(segment)


def _describe(ports: Sequence[Port]) -> list[Details]:
    return [describe_tensor(number, port.shape, port.dtype) for number, port in enumerate(ports)]


def _generated(package: DevicePackage) -> GeneratedPart:
    assert package.manifest.generated is not None
    return package.manifest.generated
