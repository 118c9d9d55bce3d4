"""What a plan gives: sources and what they cost; and what a speaker net is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_sv.errors import DataError
from edge_sv.plugins.generator import ConstantBytes, PlanName
from edge_sv.system.files import sha256_bytes
from edge_sv_converters.c_source.graph import Graph


@dataclass(frozen=True)
class Speaker:
    """A net that takes feature frames and gives an embedding: (1, frames, num_mels, 1) int8 -> (1, embedding_dim) int8.

    Args:
        sha256: of the .tflite, 32 numbers.
        num_mels: values in a frame.
        frames: in the exported input.
        embedding_dim: values of the output.
        input_grid: scale and zero point.
        output_grid: scale and zero point.
    """

    sha256: tuple[int, ...]
    num_mels: int
    frames: int
    embedding_dim: int
    input_grid: tuple[float, int]
    output_grid: tuple[float, int]


@dataclass(frozen=True)
class EmittedPlan:
    """A net as C under one plan.

    Args:
        name: the plan.
        files: file name -> text: `<prefix>.c`, `<prefix>.h`, `<prefix>_constants.h`.
        ram_bytes: of the state or arena.
        constants: weights and tables.
    """

    name: PlanName
    files: Mapping[str, str] = field(repr=False)
    ram_bytes: int
    constants: tuple[ConstantBytes, ...] = field(repr=False)


def describe_speaker(graph: Graph, model: bytes) -> Speaker:
    """Read what a speaker net takes and gives.

    Raises:
        DataError: the graph is something else.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _not_a_speaker_net(f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs")
    source, output = graph.inputs[0], graph.outputs[0]
    if source.dtype != "int8" or output.dtype != "int8" or len(source.shape) != 4 or source.shape[::3] != (1, 1):
        raise _not_a_speaker_net(f"{source.shape} {source.dtype} to {output.shape} {output.dtype}")
    return Speaker(
        sha256=tuple(bytes.fromhex(sha256_bytes(model))),
        num_mels=source.shape[2],
        frames=source.shape[1],
        embedding_dim=output.elements,
        input_grid=source.grid,
        output_grid=output.grid,
    )


class NotLocal(Exception):
    """The net needs whole tensors before its pooling, so that no frame can be let go of; says where."""


def _not_a_speaker_net(got: str) -> DataError:
    return DataError(
        "the model takes no feature frames, or gives no embedding",
        details={"got": got, "needed": "(1, frames, mels, 1) int8 to (1, embedding_dim) int8"},
    )
