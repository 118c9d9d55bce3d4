"""A float net on disk: a folder with `net.json` (what it is) and `weights.npz` (its numbers)."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from edge_sv.errors import DataError, UsageError, unknown_name
from edge_sv.features import FeatureConfig
from edge_sv.files import sha256_bytes, write_atomic
from edge_sv.models.ecapa_tdnn import EcapaConfig, build_ecapa_tdnn
from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.segments import SegmentRule

NetConfig = ResNetConfig | EcapaConfig
FAMILIES: dict[str, tuple[type[NetConfig], Any]] = {
    "resnet": (ResNetConfig, build_resnet),
    "ecapa_tdnn": (EcapaConfig, build_ecapa_tdnn),
}
FORMAT = 1


@dataclass(frozen=True)
class NetDescription:
    """What a net is, without its weights.

    Args:
        name: for people, `resnet-nano`.
        family: a key of FAMILIES.
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

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetDescription:
        """Read what `to_dict` wrote.

        Raises:
            DataError: a field is missing or unknown, or a newer version wrote it.
        """
        if values.get("format") != FORMAT:
            raise DataError(f"net.json has format {values.get('format')}; this version reads {FORMAT}")
        try:
            return cls(
                name=values["name"],
                family=values["family"],
                config=read_config(values["family"], values["config"]),
                features=FeatureConfig.from_dict(values["features"]),
                segments=SegmentRule(**values["segments"]),
                provenance=values["provenance"],
            )
        except (KeyError, TypeError) as error:
            raise DataError("net.json is incomplete", details={"got": str(error)}) from error


def read_config(family: str, values: dict[str, Any]) -> NetConfig:
    """Make a family's configuration from JSON or TOML values.

    Raises:
        UsageError: no such family, or a key it does not have.
    """
    if family not in FAMILIES:
        raise unknown_name("net family", family, FAMILIES)
    try:
        return FAMILIES[family][0](**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise UsageError(f"impossible {family} configuration", details={"got": str(error)}) from error


def build_net(description: NetDescription, *, frames: int | None = None) -> tf_keras.Model:
    """Build a described net with fresh weights: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    _, build = FAMILIES[description.family]
    return build(
        description.config, frames=frames or description.segments.frames, num_mels=description.features.num_mels
    )


def encode_weights(model: tf_keras.Model) -> bytes:
    """Pack a model's weights, `layer/weight` -> array, into the bytes of an npz file; equal weights give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **{weight.name.removesuffix(":0"): weight.numpy() for weight in model.weights})
    return buffer.getvalue()


def decode_weights(data: bytes, model: tf_keras.Model) -> None:
    """Put packed weights into a model.

    Raises:
        DataError: damaged, or of another net.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError("damaged weights", details={"got": str(error)}) from error
    expected = {weight.name.removesuffix(":0"): tuple(weight.shape) for weight in model.weights}
    found = {name: array.shape for name, array in arrays.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[0]
        raise DataError("these weights are of another net", details={"first difference": f"{wrong[0]} {wrong[1]}"})
    model.set_weights([arrays[name] for name in expected])


def save_net(folder: Path, description: NetDescription, model: tf_keras.Model) -> None:
    """Write a float net's folder."""
    write_atomic(folder / "weights.npz", encode_weights(model))
    write_atomic(folder / "net.json", (json.dumps(description.to_dict(), indent=2) + "\n").encode())


def load_description(folder: Path) -> NetDescription:
    """Read a float net's `net.json`.

    Raises:
        DataError: not there or not readable.
    """
    try:
        values = json.loads((folder / "net.json").read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} is not a float net", details={"got": str(error)}, hint="give the folder that holds net.json"
        ) from error
    return NetDescription.from_dict(values)


def load_net(folder: Path) -> tuple[tf_keras.Model, NetDescription]:
    """Read a float net.

    Raises:
        DataError: a file is missing, damaged, or of another net.
    """
    description = load_description(folder)
    model = build_net(description)
    try:
        decode_weights((folder / "weights.npz").read_bytes(), model)
    except OSError as error:
        raise DataError(f"cannot read {folder / 'weights.npz'}", details={"got": str(error)}) from error
    return model, description


def weights_sha256(folder: Path) -> str:
    """Return the identity of a float net: the SHA-256 of its weights file."""
    return sha256_bytes((folder / "weights.npz").read_bytes())
