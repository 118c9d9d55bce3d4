"""What a package costs on a device, and whether that fits.

Flash is the model, the cohort and, for TensorFlow Lite Micro, an estimate of the code: interpreter, kernels of the
operators used and glue. RAM is the tensor arena with its margin, the interpreter's objects, and the buffers that the
package's functions need around it: one segment of int8 features, two embeddings, the cohort's nearest scores.
What your own program needs, and the front end, comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DoesNotFit
from edge_sv.package.target import Target
from edge_sv.runtimes.tflm_arena import Arena
from edge_sv.tflite.layer_cost import LayerProfile

CODE_BASE_BYTES, CODE_BYTES_PER_OPERATOR = 50_000, 4_300
"""TensorFlow Lite Micro with CMSIS-NN on a Cortex-M4F (GCC 12): a line through two measured programs, 59 KB with 2
kinds of operators and 131 KB with 19. An estimate: expect it within a third."""

HEAVIEST = 3
"""Layers that an error names."""


@dataclass(frozen=True)
class Footprint:
    """Bytes on the device; None: not known for this kind of package. Generated code has a state instead of an arena.

    `plain`: what it would be without lookup tables, where the model has them.
    """

    model_bytes: int
    cohort_bytes: int = 0
    code_bytes: int | None = None
    arena: Arena | None = None
    object_bytes: int | None = None
    buffer_bytes: int | None = None
    state_bytes: int | None = None
    plain: Footprint | None = None

    @property
    def arena_bytes(self) -> int | None:
        """Memory to reserve for tensors."""
        return self.state_bytes if self.arena is None else self.arena.bytes

    @property
    def flash_bytes(self) -> int:
        """Read-only bytes."""
        return self.model_bytes + self.cohort_bytes + (self.code_bytes or 0)

    @property
    def ram_bytes(self) -> int | None:
        """Writable bytes."""
        if self.arena_bytes is None:
            return None
        return self.arena_bytes + (self.object_bytes or 0) + (self.buffer_bytes or 0)


def estimate_code(num_operators: int) -> int:
    """Estimate the flash of TensorFlow Lite Micro with so many kinds of operators."""
    return CODE_BASE_BYTES + CODE_BYTES_PER_OPERATOR * num_operators


def object_bytes(num_operators: int) -> int:
    """Bound the interpreter's and the operator table's objects, a multiple of 16; checked when the glue is compiled."""
    return -(-(1024 + 96 * num_operators) // 16) * 16


def buffer_bytes(artifact: ModelArtifact) -> int:
    """Count the buffers around the net: a segment of int8 features, two float embeddings, AS-norm's nearest scores."""
    scoring = artifact.scoring
    nearest = scoring.top_n if scoring is not None and scoring.kind == "as_norm" else 0
    return artifact.segments.frames * artifact.features.num_mels + 4 * (2 * artifact.embedding_dim + nearest)


class HasLayerCosts(Protocol):
    """What a budget is checked for."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def layers(self) -> Sequence[LayerProfile]:
        """Cost of each operator."""


def check_budget(
    net: HasLayerCosts,
    target: Target,
    footprint: Footprint,
    *,
    max_flash: int | None = None,
    max_ram: int | None = None,
) -> None:
    """Refuse what is larger than the target or than the caller's limits.

    Raises:
        DoesNotFit: says by how much, and which layers weigh most.
    """
    flash, ram = footprint.flash_bytes, footprint.ram_bytes
    limits = [
        _Limit(
            "flash", flash, _lowest(max_flash, target.flash_bytes), _flash_parts(footprint), _weight_bytes, "weights"
        ),
        _Limit("RAM", ram, _lowest(max_ram, target.ram_bytes), _ram_parts(footprint), _output_values, "activations"),
    ]
    over = [limit for limit in limits if limit.excess > 0]
    if not over:
        return
    details: dict[str, str] = {}
    for limit in over:
        details[limit.name] = f"needs {limit.needed:,} bytes of {limit.allowed:,}: {limit.parts}"
        details[f"most {limit.unit}"] = _heaviest(net.layers, limit.weigh)
    excess = " and ".join(f"{limit.excess:,} bytes of {limit.name}" for limit in over)
    saved = 0 if footprint.plain is None else (ram or 0) - (footprint.plain.ram_bytes or 0)
    raise DoesNotFit(
        f"'{net.name}' does not fit target '{target.name}': {excess} too many",
        details=details,
        hint="a smaller net, a recipe with fewer bits, or a larger part"
        + (f"; --no-lut needs {saved:,} bytes of RAM less" if saved > 0 else ""),
    )


@dataclass(frozen=True)
class _Limit:
    name: str
    needed: int | None
    allowed: int | None
    parts: str
    weigh: Callable[[LayerProfile], int]
    unit: str

    @property
    def excess(self) -> int:
        return 0 if self.needed is None or self.allowed is None else self.needed - self.allowed


def _lowest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _flash_parts(footprint: Footprint) -> str:
    parts = {"model": footprint.model_bytes, "cohort": footprint.cohort_bytes, "code (estimate)": footprint.code_bytes}
    return ", ".join(f"{name} {count:,}" for name, count in parts.items() if count)


def _ram_parts(footprint: Footprint) -> str:
    parts = {"arena": footprint.arena_bytes, "objects": footprint.object_bytes, "buffers": footprint.buffer_bytes}
    return ", ".join(f"{name} {count:,}" for name, count in parts.items() if count)


def _weight_bytes(layer: LayerProfile) -> int:
    return layer.weight_bytes


def _output_values(layer: LayerProfile) -> int:
    return int(np.prod(layer.output_shape, dtype=np.int64))


def _heaviest(layers: Sequence[LayerProfile], weigh: Callable[[LayerProfile], int]) -> str:
    heaviest = sorted(layers, key=weigh, reverse=True)[:HEAVIEST]
    return ", ".join(f"{layer.name} {weigh(layer):,}" for layer in heaviest) or "no layers are described"
