"""What a device must compute, bit for bit: the reference of its front end, its net and its sums, on this computer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation.device import EmulatedEmbedding
from edge_sv.frontend.on_device import device_frames
from edge_sv.runtimes.exact import exact_interpreter
from edge_sv.runtimes.interpreter import run_each
from edge_sv.system.array_types import Float32, Int16
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats


@dataclass(frozen=True)
class Difference:
    """Where a device and this computer disagree.

    Args:
        name: of the recording or golden vector.
        frames: values of the net's input that differ.
        outputs: values of its output that differ.
        embedding: values of the recording's embedding that differ in any bit.
    """

    name: str
    frames: int
    outputs: int
    embedding: int

    @property
    def exact(self) -> bool:
        """Whether there is no difference."""
        return self.frames == self.outputs == self.embedding == 0


class ExpectedDevice:
    """A device as Python computes it.

    Args:
        artifact: its net.
        fixed: whether its front end computes with integers, as on cores without a floating-point unit.
    """

    def __init__(self, artifact: ModelArtifact, *, fixed: bool) -> None:
        self.artifact, self.fixed = artifact, fixed
        self.input, self.output = tensor_formats(parse_model(artifact.model))
        self._net = exact_interpreter(artifact.model)

    def embed(self, pcm: Int16) -> EmulatedEmbedding:
        """Compute what `EmulatedDevice.embed` must return for a recording, (num_samples,) int16."""
        rule = self.artifact.segments
        kept = device_frames(pcm, self.artifact.features, self.input, fixed=self.fixed)
        frames = rule.cut(kept.astype(np.float32)).astype(np.int8)
        outputs = run_each(self._net, frames)
        return EmulatedEmbedding(frames, outputs, mean_embedding(self.output.dequantize(outputs)))

    def compare(self, name: str, pcm: Int16, got: EmulatedEmbedding) -> Difference:
        """Compare what a device made of a recording with what it must make of it."""
        wanted = self.embed(pcm)
        return Difference(
            name=name,
            frames=count_differences(got.frames, wanted.frames),
            outputs=count_differences(got.outputs, wanted.outputs),
            embedding=count_differences(got.embedding.view(np.int32), wanted.embedding.view(np.int32)),
        )


def count_differences(a: np.ndarray, b: np.ndarray) -> int:
    """Count values that differ; of arrays of different shapes, all."""
    return max(a.size, b.size) if a.shape != b.shape else int(np.count_nonzero(a != b))


def mean_embedding(segments: Float32) -> Float32:
    """Join (num_segments, embedding_dim) embeddings as esv_embedding.c does: float32, one addition after the other."""
    total = np.zeros(segments.shape[1], np.float32)
    for segment in segments:
        total += _normalize(segment)
    return _normalize(total)


def _normalize(embedding: Float32) -> Float32:
    squares = np.cumsum(embedding * embedding, dtype=np.float32)[-1]
    return np.asarray(embedding / np.maximum(np.sqrt(squares), np.float32(1e-12)), np.float32)
