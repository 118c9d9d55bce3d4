"""What turns a converted model into source code: a plug-in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy.typing as npt

from edge_sv.plugins.entry import GENERATORS, load_plugin
from edge_sv.plugins.weight_bytes import WeightCosts
from edge_sv.system.bundled import targets_dir

DEFAULT_GENERATOR = "c_source"
DEFAULT_PREFIX = "esv_model"

PlanName = Literal["static", "streaming"]
"""`static`: the whole utterance's tensors in one arena. `streaming`: frames are computed as they arrive."""


@dataclass(frozen=True)
class CodeOptions:
    """How a net is written into a package.

    Args:
        prefix: of every public name in generated code.
        plan: of generated code; None takes the one that needs less memory.
        lookup_tables: for TensorFlow Lite Micro, write weights of few values as lookup tables where that saves flash.
    """

    prefix: str = DEFAULT_PREFIX
    plan: PlanName | None = None
    lookup_tables: bool = True


DEFAULT_CODE = CodeOptions()


@dataclass(frozen=True)
class PlanCost:
    """What a plan needs.

    Args:
        name: the plan.
        ram_bytes: of the net's state; None when the net has no such plan.
        note: why there is none, or what else there is to say.
    """

    name: PlanName
    ram_bytes: int | None
    note: str = ""


@dataclass(frozen=True)
class Port:
    """An input or output of a net.

    Args:
        name: in the model.
        shape: dimensions.
        dtype: numpy's name of the element type.
        scale: value = scale * (q - zero_point); None when the tensor is not quantized.
        zero_point: likewise.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class ConstantBytes:
    """What a constant array of a net's source takes in flash; equal arrays are there once, for the first that uses it.

    Args:
        layer: output of the operator that uses it, as the model names it.
        kind: of the operator, `CONV_2D`.
        part: what it is: `weights`, `codebook`, `bias`, `multiplier`, `shift`, or another parameter of its kernel.
        bits: of a value; of weights with a codebook, of an index.
        bytes: of the array.
    """

    layer: str
    kind: str
    part: str
    bits: int
    bytes: int


@dataclass(frozen=True)
class GeneratedNet:
    """A net as source code.

    Args:
        inputs: what it takes.
        outputs: what it gives.
        files: path within a package -> content.
        plan: the one that was written.
        plans: what every plan would need, for comparison.
        ram_bytes: of the net's state or arena.
        constants: weights and tables in flash, in the order they are emitted.
        kernels: C functions that compute it, sorted.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    files: Mapping[str, bytes] = field(repr=False)
    plan: PlanName
    plans: tuple[PlanCost, ...]
    ram_bytes: int
    constants: tuple[ConstantBytes, ...] = field(repr=False)
    kernels: tuple[str, ...]

    @property
    def constant_bytes(self) -> int:
        """Bytes of all weights and tables in flash."""
        return sum(constant.bytes for constant in self.constants)


class Generator(Protocol):
    """Turns a .tflite into source code."""

    @property
    def weight_costs(self) -> WeightCosts:
        """What a layer's weights will take in flash as this generator writes them."""

    @property
    def activation_bits(self) -> tuple[int, ...]:
        """Bits of activations that it has kernels for, ascending."""

    def generate(
        self, model: bytes, *, prefix: str, banner: str, speaker: bool, plan: PlanName | None = None
    ) -> GeneratedNet:
        """Write a model as source code; same inputs, same bytes.

        Args:
            model: a .tflite file.
            prefix: of every public name.
            banner: first line of each file.
            speaker: the model takes feature frames and gives an embedding: also write it as an `esv_net`.
            plan: None takes the one that needs less memory.

        Raises:
            DataError: the model is damaged, or has an operator that cannot be compiled; it is named.
            UsageError: the prefix is no C name, or the model has no such plan.
        """

    def trace(self, model: bytes, inputs: Sequence[npt.NDArray[Any]]) -> dict[int, npt.NDArray[Any]]:
        """Run a model's code on this computer and return every computed tensor, by its number in the file.

        Raises:
            DataError: as `generate`.
            ToolMissing: there is no C compiler.
        """


def find_generator(name: str = DEFAULT_GENERATOR) -> Generator:
    """Load an installed generator of source code.

    Raises:
        UsageError: there is none of this name.
        ToolMissing: it is installed and does not load.
    """
    generator: Generator = load_plugin(GENERATORS, name)
    return generator


def common_sources(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the portable C that generated files need, path in a package -> content.

    Includes are followed; with a header `esv_x.h` come its sources, `esv_x.c` and `esv_x_*.c`.
    """
    common = targets_dir() / "common"
    known = {path.name: path for path in sorted(common.glob("*/*.[ch]")) if path.parent.name in ("include", "src")}
    needed: dict[str, bytes] = {}
    unread = [name for data in files.values() for name in _includes(data)]
    while unread:
        name = unread.pop()
        if name not in known or name in needed:
            continue
        needed[name] = known[name].read_bytes()
        stem = name.removesuffix(".h")
        unread += [*_includes(needed[name]), f"{stem}.c", *(n for n in known if re.fullmatch(rf"{stem}_.*\.c", n))]
    return {f"{known[name].parent.name}/{name}": data for name, data in sorted(needed.items())}


def _includes(source: bytes) -> list[str]:
    """List the files that a source includes by `#include "..."`, in order."""
    return [name.decode() for name in re.findall(rb'^#include "([^"]+)"', source, re.MULTILINE)]
