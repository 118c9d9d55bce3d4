"""A net on disk: a folder with `net.json` (what it is) and `weights.npz` (its numbers).

Kernels that a recipe has compressed are in `palettes.npz` instead.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras
from pydantic import TypeAdapter, ValidationError

from edge_sv.artifacts.net import FORMAT, NET_FILE, WEIGHTS_FILE, read_net
from edge_sv.artifacts.palette import Palette, load_palettes, save_palettes
from edge_sv.errors import DataError, UsageError, unknown_name
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.families import FAMILIES
from edge_sv.models.family import NetConfig
from edge_sv.system.files import write_atomic
from edge_sv.system.npz import read_arrays
from edge_sv.system.validation import explain_validation_error


@dataclass(frozen=True)
class NetDescription:
    """What a net is, without its weights.

    Args:
        name: for people, `resnet-nano`.
        family: a key of `edge_sv.models.families.FAMILIES`.
        config: the family's own configuration.
        features: its front end.
        segments: the frames it takes at once.
        provenance: how it came to be (training configuration, dev EER, origin of its first weights).
    """

    name: str
    family: str
    config: NetConfig
    features: FeatureConfig
    segments: SegmentRule
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "format": FORMAT,
            "name": self.name,
            "family": self.family,
            "config": asdict(self.config),
            "features": self.features.to_dict(),
            "segments": asdict(self.segments),
            "provenance": self.provenance,
        }


def net_config(family: str, values: dict[str, Any]) -> NetConfig:
    """Make a family's configuration from JSON or TOML values.

    Raises:
        UsageError: no such family, a key it does not have, or a value it cannot have.
    """
    if family not in FAMILIES:
        raise unknown_name("net family", family, FAMILIES)
    kind = FAMILIES[family].config
    known = [item.name for item in fields(kind)]
    for name in values:
        if name not in known:
            raise unknown_name(f"{family} option", name, known)
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise UsageError(f"impossible {family} configuration", details=explain_validation_error(error)) from error


def build_net(description: NetDescription, *, frames: int | None = None) -> tf_keras.Model:
    """Build a described net with fresh weights: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    build, config = FAMILIES[description.family].build, description.config
    return build(config, frames=frames or description.segments.frames, num_mels=description.features.num_mels)


def encode_weights(model: tf_keras.Model, *, leave_out: Collection[str] = ()) -> bytes:
    """Pack a model's weights, `layer/weight` -> array, into an npz file's bytes; equal weights give equal bytes."""
    buffer = io.BytesIO()
    arrays = {weight.name.removesuffix(":0"): weight.numpy() for weight in model.weights}
    np.savez(buffer, **{name: array for name, array in arrays.items() if name not in leave_out})
    return buffer.getvalue()


def load_weights(path: Path, model: tf_keras.Model) -> None:
    """Put a weights file, and the palettes beside it, into a model.

    Raises:
        DataError: not readable, damaged, or of another net.
    """
    kernels = {f"{layer}/kernel": palette.weights() for layer, palette in load_palettes(path.parent).items()}
    arrays = read_arrays(path) | kernels
    expected = {w.name.removesuffix(":0"): f"{tuple(w.shape)} {w.dtype.name}" for w in model.weights}
    found = {name: f"{array.shape} {array.dtype.name}" for name, array in arrays.items()}
    if expected != found:
        name, got = min(set(expected.items()) ^ set(found.items()))
        raise DataError(f"{path} holds the weights of another net", details={"first difference": f"{name} {got}"})
    model.set_weights([arrays[name] for name in expected])


def save_net(
    folder: Path, description: NetDescription, model: tf_keras.Model, palettes: Mapping[str, Palette] | None = None
) -> None:
    """Write a net's folder; layers with a palette have their kernel there and not among the weights."""
    leave_out = {f"{layer}/kernel" for layer in palettes or ()}
    if palettes:
        save_palettes(folder, palettes)
    write_atomic(folder / WEIGHTS_FILE, encode_weights(model, leave_out=leave_out))
    save_description(folder, description)


def save_description(folder: Path, description: NetDescription) -> None:
    """Write a net's `net.json`."""
    write_atomic(folder / NET_FILE, (json.dumps(description.to_dict(), indent=2) + "\n").encode())


def load_description(folder: Path) -> NetDescription:
    """Read a float net's `net.json`.

    Raises:
        DataError: not there or not readable.
    """
    net = read_net(folder)
    try:
        config = net_config(net.family, net.config)
    except UsageError as error:
        raise DataError(f"{folder}: {NET_FILE}: {error.message}", details=error.details, hint=error.hint) from error
    return NetDescription(net.name, net.family, config, net.features, net.segments, net.provenance)


def load_net(folder: Path, *, frames: int | None = None) -> tuple[tf_keras.Model, NetDescription]:
    """Read a float net.

    Args:
        folder: holds `net.json` and `weights.npz`.
        frames: input length; None: the net's own.

    Raises:
        DataError: a file is missing, damaged, or of another net.
    """
    description = load_description(folder)
    model = build_net(description, frames=frames)
    load_weights(folder / WEIGHTS_FILE, model)
    return model, description
