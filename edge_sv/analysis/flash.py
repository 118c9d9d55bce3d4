"""What a converted model keeps in flash, counted layer by layer in the bytes themselves.

Three forms: the .tflite file as it is (`tflite`); one with lookup tables, which TFLM_DECODE operators expand (`lut`);
and C source for a microcontroller (`cortex-m`), whose generator says what each array takes. A table's total is the size
of the real thing: of the file, or of all constant arrays in the source. Cohort and code are not the net's; a package's
manifest tells them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import EdgeSvError
from edge_sv.package import DevicePackage
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions, ConstantBytes
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.tflite.flatbuffer import (
    DECODE,
    WEIGHTED,
    Operator,
    decoded_tensors,
    operators,
    parse_model,
    scale_bytes,
    tensor_name,
    weight_bits,
)

Form = Literal["tflite", "lut", "cortex-m"]
_COLUMNS = {
    "weights": "weights",
    "codebook": "codebook",
    "bias": "biases",
    "multiplier": "scales",
    "shift": "scales",
}
"""Part of a generated operator -> column; other parts are `other`."""


@dataclass(frozen=True)
class LayerBytes:
    """One layer's constants in flash, in bytes.

    Args:
        name: output of its operator, as the model names it.
        kind: of the operator, `CONV_2D`.
        bits: of a weight, or of an index into the codebook; 0: it has no weights.
        weights: values, or indices.
        codebook: tables of values, with their headers.
        scales: what brings sums to the output's grid: a file's scales and zero points, the C source's multipliers and
            shifts.
        biases: of the output channels.
        other: constants that are not weights: tables, shapes, operands.
    """

    name: str
    kind: str
    bits: int = 0
    weights: int = 0
    codebook: int = 0
    scales: int = 0
    biases: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """Bytes of all of it."""
        return self.weights + self.codebook + self.scales + self.biases + self.other

    def add(self, column: str, count: int) -> LayerBytes:
        """Return the layer with so many bytes more in a column."""
        return replace(self, **{column: getattr(self, column) + count})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the total as JSON values."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class SizeTable:
    """A net in one form.

    Args:
        form: see the module.
        layers: those that have constants, in the order they run; what several share stands with the first.
        structure: bytes that belong to no layer: a file's graph, names and alignment; none in C.
    """

    form: Form
    layers: tuple[LayerBytes, ...]
    structure: int = 0

    def sum(self, column: str) -> int:
        """Add up one of the layers' columns, `weights`."""
        return sum(int(getattr(layer, column)) for layer in self.layers)

    @property
    def total(self) -> int:
        """Bytes of the whole form."""
        return self.sum("total") + self.structure

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the total as JSON values."""
        layers = [layer.to_dict() for layer in self.layers]
        return {"form": self.form, "total": self.total, "structure": self.structure, "layers": layers}


def size_tables(model: ModelArtifact | DevicePackage) -> dict[Form, SizeTable]:
    """Count a converted model.

    Args:
        model: an artifact: its file, the file with lookup tables where they gain, and the C source it compiles to; a
            package: what it holds.

    Returns:
        form -> table.

    Raises:
        DataError: the model is damaged.
    """
    if isinstance(model, ModelArtifact):
        tables = [count_tflite(model.model), *_with_tables(model.model), *_as_source(model, DEFAULT_CODE)]
    else:
        tables = _of_package(model)
    return {table.form: table for table in tables}


def count_tflite(model: bytes) -> SizeTable:
    """Count a .tflite file; indices and tables of DECODE operators go to the layer whose weights they become.

    Raises:
        DataError: it is damaged.
    """
    tree = parse_model(model)
    graph = operators(tree)
    tables = decoded_tensors(tree)
    counter = _FileCounter(tree, tables)
    counted = [counter.count(operator) for operator in graph if operator.kind != DECODE]
    layers = tuple(layer for layer in counted if layer.total)
    structure = len(model) - sum(layer.total for layer in layers)
    return SizeTable("lut" if tables else "tflite", layers, structure)


def count_generated(constants: Iterable[ConstantBytes]) -> SizeTable:
    """Add up the arrays of generated code layer by layer."""
    layers: dict[str, LayerBytes] = {}
    for constant in constants:
        layer = layers.get(constant.layer, LayerBytes(constant.layer, constant.kind))
        if constant.part == "weights":
            layer = replace(layer, bits=constant.bits)
        layers[constant.layer] = layer.add(_COLUMNS.get(constant.part, "other"), constant.bytes)
    return SizeTable("cortex-m", tuple(layers.values()))


def _of_package(package: DevicePackage) -> list[SizeTable]:
    generated = package.manifest.generated
    if generated is None:
        return [count_tflite(package.model)]
    if generated.constants is not None:
        return [count_generated(ConstantBytes(**dict(constant)) for constant in generated.constants)]
    code = CodeOptions(generated.prefix, "streaming" if generated.plan == "streaming" else "static")
    return [] if package.speaker is None else _as_source(package.speaker, code)


def _with_tables(model: bytes) -> list[SizeTable]:
    """Count a file with lookup tables; nothing where they do not gain, or what writes them is not installed."""
    try:
        lookup = compress_tables(model)
    except EdgeSvError:
        return []
    return [] if lookup is None else [count_tflite(lookup.model)]


def _as_source(artifact: ModelArtifact, code: CodeOptions) -> list[SizeTable]:
    """Count the C source of a package; nothing where the generator is not installed or lacks one of the operators."""
    try:
        from edge_sv.package.cortex_m import generate

        return [count_generated(generate(artifact, code).constants)]
    except (EdgeSvError, ImportError):
        return []


class _FileCounter:
    """Counts each buffer, and each tensor's scales, where it is first used.

    Args:
        tree: the model.
        tables: tensor that a DECODE operator computes -> its indices and table.
    """

    def __init__(self, tree: Any, tables: Mapping[int, tuple[int, int]]) -> None:
        self._tree = tree
        self._tables = tables
        self._seen_tensors: set[int] = set()
        self._seen_buffers: set[int] = {0}

    def count(self, operator: Operator) -> LayerBytes:
        """Count one operator's constants."""
        layer = LayerBytes(tensor_name(self._tensor(operator.outputs[0])), operator.kind)
        for position, index in enumerate(operator.inputs):
            column = ("other", "weights", "biases")[min(position, 2)] if operator.kind in WEIGHTED else "other"
            if index < 0 or index in self._seen_tensors:
                continue
            self._seen_tensors.add(index)
            if index in self._tables:
                indices, table = self._tables[index]
                layer = self._add(self._add(layer, "weights", indices), "codebook", table)
            elif not self._bytes(index):
                continue
            layer = self._add(layer, column, index)
            if column == "weights":
                layer = replace(layer, bits=weight_bits(self._tree, index, self._tables))
        return layer

    def _add(self, layer: LayerBytes, column: str, index: int) -> LayerBytes:
        """Count a tensor: its buffer in a column, its scales and zero points in theirs."""
        tensor = self._tensor(index)
        size = 0 if tensor.buffer in self._seen_buffers else self._bytes(index)
        self._seen_buffers.add(tensor.buffer)
        return layer.add(column, size).add("scales", scale_bytes(tensor))

    def _tensor(self, index: int) -> Any:
        return self._tree.subgraphs[0].tensors[index]

    def _bytes(self, index: int) -> int:
        data = self._tree.buffers[self._tensor(index).buffer].data
        return 0 if data is None else len(data)
