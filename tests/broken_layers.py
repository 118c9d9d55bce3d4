"""Converted models with a layer that computes something else."""

from __future__ import annotations

import dataclasses

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.tflite.flatbuffer import pack_model, parse_model, tensor_name


def break_layer(artifact: ModelArtifact, layer: str) -> ModelArtifact:
    """Return the model with the weights of one layer in the wrong order."""
    graph = parse_model(artifact.model)
    (tensor,) = [t for t in graph.subgraphs[0].tensors if tensor_name(t) == f"{layer}/weights"]
    buffer = graph.buffers[tensor.buffer]
    buffer.data = np.roll(np.asarray(buffer.data), 5)
    return dataclasses.replace(artifact, model=pack_model(graph))
