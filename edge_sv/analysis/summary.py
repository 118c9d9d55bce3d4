"""What a model of any kind is made of: its layers, their sizes in flash, and what a second of speech costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sv.analysis.flash import Form, SizeTable, count_tflite, size_tables
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import ModelKind, asset_names, locate
from edge_sv.embedders.open import open_artifact
from edge_sv.errors import DataError, ToolMissing, reason_of, unknown_name
from edge_sv.frontend.features import FeatureConfig
from edge_sv.package import DevicePackage, read_package
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.system.files import read_file
from edge_sv.system.native_log import held_native_log
from edge_sv.tflite.flatbuffer import parse_model, profile_operators, tensor_shape
from edge_sv.tflite.layer_cost import LayerProfile


@dataclass(frozen=True)
class ModelSummary:
    """A model's layers and totals.

    Args:
        name: of the net.
        precision: `float32`, or the recipe of a converted model.
        layers: in the order they run.
        frames: the net's input length.
        hop_ms: distance between frames; None for a file that does not tell its front end.
        file_bytes: of a converted model.
        flash: form -> bytes of each layer, of a converted model.
        sizes: what the whole package costs, of a package; see docs/package-manifest.md.
    """

    name: str
    precision: str
    layers: tuple[LayerProfile, ...]
    frames: int
    hop_ms: float | None = None
    file_bytes: int | None = None
    flash: Mapping[Form, SizeTable] = field(default_factory=dict)
    sizes: Mapping[str, int | None] | None = None

    @property
    def parameters(self) -> int:
        """Numbers learned."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def macs_per_second(self) -> int | None:
        """Multiply-accumulates for a second of speech when segments lie side by side; overlap multiplies it."""
        return None if self.hop_ms is None else round(self.macs / (self.frames * self.hop_ms / 1000))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and totals as JSON values."""
        return {
            "name": self.name,
            "precision": self.precision,
            "frames": self.frames,
            "hop_ms": self.hop_ms,
            "file_bytes": self.file_bytes,
            "parameters": self.parameters,
            "weight_bytes": self.weight_bytes,
            "macs": self.macs,
            "macs_per_second": self.macs_per_second,
            "flash": {form: table.to_dict() for form, table in self.flash.items()},
            "sizes": None if self.sizes is None else dict(self.sizes),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def summarize_model(model: str, *, float_net: bool = False) -> ModelSummary:
    """Summarize a model.

    Args:
        model: a bundled net's or preset's name, a folder (float net, converted model, device package), a .tflite file.
        float_net: of a folder with both a float and a converted net, take the float one.

    Raises:
        UsageError: there is no such model.
        DataError: it is damaged, or has no float net.
        ToolMissing: it is a float net or preset, and TensorFlow is not installed.
    """
    is_name = Path(model).name == model and not Path(model).suffix and not Path(model).exists()
    if is_name and model not in asset_names():
        return _summarize_preset(model)
    located = locate(model)
    path = located.path
    if path.is_file() and located.kind in (ModelKind.TFLITE, ModelKind.PACKAGE):
        return _summarize_file(path)
    if located.kind is ModelKind.FLOAT_NET and (float_net or located.artifact(DEFAULT_RECIPE) is None):
        return _summarize_float(path)
    if located.kind is ModelKind.PACKAGE:
        package = read_package(path)
        return _summarize_converted(package.artifact, package)
    if float_net:
        located.require(ModelKind.FLOAT_NET)
    return _summarize_converted(open_artifact(path), None)


def _summarize_converted(artifact: ModelArtifact, package: DevicePackage | None) -> ModelSummary:
    return ModelSummary(
        name=artifact.name,
        precision=artifact.recipe,
        layers=artifact.layers,
        frames=artifact.segments.frames,
        hop_ms=artifact.features.hop_ms,
        file_bytes=len(artifact.model),
        flash=size_tables(package or artifact),
        sizes=None if package is None else package.manifest.sizes.model_dump(),
    )


def _summarize_preset(name: str) -> ModelSummary:
    try:
        with held_native_log():
            from edge_sv.models.presets import PRESETS, describe_preset
    except ImportError as error:
        raise _needs_tensorflow(f"'{name}' is no bundled net, and presets need TensorFlow", error) from error
    if name not in PRESETS:
        raise unknown_name("model", name, [*asset_names(), *PRESETS])
    return _summarize_description(describe_preset(name))


def _summarize_float(folder: Path) -> ModelSummary:
    try:
        with held_native_log():
            from edge_sv.models.checkpoint import load_description
    except ImportError as error:
        raise _needs_tensorflow(f"{folder} holds a float net, which needs TensorFlow", error) from error
    return _summarize_description(load_description(folder))


def _summarize_description(description: Any) -> ModelSummary:
    from edge_sv.models.checkpoint import build_net
    from edge_sv.models.profile import profile_model

    with held_native_log():
        layers = profile_model(build_net(description))
    frames, hop_ms = description.segments.frames, description.features.hop_ms
    return ModelSummary(description.name, "float32", tuple(layers), frames=frames, hop_ms=hop_ms)


def _summarize_file(path: Path) -> ModelSummary:
    try:
        data = read_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    tree = parse_model(data)
    features = _embedded_features(path)
    graph = tree.subgraphs[0]
    shape = tensor_shape(graph.tensors[graph.inputs[0]])
    return ModelSummary(
        name=path.stem,
        precision="tflite",
        layers=profile_operators(tree),
        frames=shape[1] if len(shape) > 1 else 1,
        hop_ms=None if features is None else features.hop_ms,
        file_bytes=len(data),
        flash={table.form: table for table in [count_tflite(data)]},
    )


def _embedded_features(path: Path) -> FeatureConfig | None:
    try:
        return open_artifact(path).features
    except DataError:  # a .tflite file of other tools has no manifest inside
        return None


def _needs_tensorflow(message: str, error: ImportError) -> ToolMissing:
    return ToolMissing(message, details={"got": str(error)}, hint="pip install 'edge-sv[train]'")
