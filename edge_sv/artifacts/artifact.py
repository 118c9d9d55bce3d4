"""A converted model and everything needed to use it: one value in memory, one folder on disk.

The folder holds `artifact.json` (everything but bytes), the model and, where the default scoring normalizes against a
cohort, `cohort.npz` (int8 embeddings and their scale). The model is `model.tflite`; one whose weights have few values
is `model.tflite.xz`, which takes about as many bits a weight as an index into its codebook has. `artifact.json` states
the sha256 of the model as it is unpacked, and of the cohort.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.artifacts.provenance import Provenance
from edge_sv.errors import DataError, EdgeSvError, reason_of
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.system.files import read_file, sha256_bytes, write_folder
from edge_sv.system.packed import PACKED_SUFFIX, pack, unpack
from edge_sv.tflite.layer_cost import LayerProfile

ARTIFACT_FILE = "artifact.json"
COMPRESSED_DIR = "compressed"
"""Folder in a float net's folder that holds its compressed forms, each by its recipe's name."""
SCHEMA_VERSION = 1
MODEL_FILE = "model.tflite"
COHORT_FILE = "cohort.npz"
FILES = (ARTIFACT_FILE, MODEL_FILE, f"{MODEL_FILE}{PACKED_SUFFIX}", COHORT_FILE)
"""All that a folder of an artifact may hold."""

WORTH_PACKING = 0.75
"""A model is packed where it takes less than this share of its bytes: an int8 net does not, a palette does."""
LEAST_SAVED = 16 << 10
"""Bytes below which packing is not worth another kind of file."""


@dataclass(frozen=True)
class ModelArtifact:
    """A converted model.

    Args:
        name: the net it was made from.
        kind: format of `model`.
        model: the file's bytes. Input (1, frames, num_mels, 1) int8, output (1, embedding_dim) int8.
        features: the front end it was trained with.
        segments: how recordings are cut for it.
        embedding_dim: length of an embedding.
        recipe: how it was compressed.
        layers: cost of each operator.
        scoring: default scoring and its threshold, None when no development list was given.
        cohort: embeddings for AS-norm.
        provenance: where it comes from and what the check stage measured.
    """

    name: str
    kind: Literal["tflite"]
    model: bytes = field(repr=False)
    features: FeatureConfig
    segments: SegmentRule
    embedding_dim: int
    recipe: str
    layers: tuple[LayerProfile, ...] = field(repr=False)
    scoring: Scoring | None = None
    cohort: Cohort | None = field(default=None, repr=False)
    provenance: Provenance = field(default_factory=Provenance, repr=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model's bytes: the identity that voice prints are bound to."""
        return sha256_bytes(self.model)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_version: Literal[1]
    name: str
    kind: Literal["tflite"]
    model: _File
    features: dict[str, Any]
    segments: dict[str, int]
    embedding_dim: int
    recipe: str
    layers: list[dict[str, Any]]
    scoring: dict[str, Any] | None
    cohort: _File | None
    provenance: dict[str, Any]


def artifact_files(artifact: ModelArtifact) -> dict[str, bytes]:
    """Return file name -> content of an artifact's folder; same artifact, same bytes."""
    model_file, packed = _pack(artifact.model)
    files = {model_file: packed}
    stated = {"model": {"file": model_file, "sha256": artifact.sha256}}
    if artifact.cohort is not None:
        files[COHORT_FILE] = artifact.cohort.to_bytes()
        stated["cohort"] = {"file": COHORT_FILE, "sha256": sha256_bytes(files[COHORT_FILE])}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": artifact.name,
        "kind": artifact.kind,
        "recipe": artifact.recipe,
        "model": stated["model"],
        "cohort": stated.get("cohort"),
        "embedding_dim": artifact.embedding_dim,
        "scoring": None if artifact.scoring is None else artifact.scoring.to_dict(),
        "segments": asdict(artifact.segments),
        "features": artifact.features.to_dict(),
        "provenance": dict(artifact.provenance.stated),
        "layers": [layer.to_dict() for layer in artifact.layers],
    }
    return {ARTIFACT_FILE: (json.dumps(manifest, indent=1) + "\n").encode(), **files}


def save_artifact(folder: Path, artifact: ModelArtifact) -> None:
    """Write an artifact's folder; an existing artifact is replaced as a whole, other files beside it stay.

    Raises:
        DataError: the place is not writable or the disk is full; an old folder is untouched.
    """
    write_folder(folder, artifact_files(artifact), own=FILES if (folder / ARTIFACT_FILE).is_file() else ())


def load_artifact(folder: Path) -> ModelArtifact:
    """Read an artifact's folder.

    Raises:
        DataError: a file is missing, damaged (its sha256 differs) or written by a newer version.
    """
    manifest = _read_manifest(folder / ARTIFACT_FILE)
    model = _read_stated(folder, manifest.model)
    cohort = None if manifest.cohort is None else Cohort.from_bytes(_read_stated(folder, manifest.cohort))
    try:
        return ModelArtifact(
            name=manifest.name,
            kind=manifest.kind,
            model=model,
            features=FeatureConfig.from_dict(manifest.features),
            segments=SegmentRule(**manifest.segments),
            embedding_dim=manifest.embedding_dim,
            recipe=manifest.recipe,
            layers=tuple(LayerProfile.from_dict(layer) for layer in manifest.layers),
            scoring=None if manifest.scoring is None else Scoring.from_dict(manifest.scoring),
            cohort=cohort,
            provenance=Provenance(manifest.provenance),
        )
    except (TypeError, KeyError, ValueError, OverflowError, EdgeSvError) as error:
        raise _damaged(folder / ARTIFACT_FILE, str(error)) from error


def _read_manifest(path: Path) -> _Manifest:
    try:
        return _Manifest.model_validate_json(read_file(path))
    except FileNotFoundError as error:
        raise DataError(f"no converted model in {path.parent}", details={"missing": path.name}) from error
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{where}: {first['msg']}" if where else first["msg"]) from error


def _read_stated(folder: Path, stated: _File) -> bytes:
    path = folder / Path(stated.file).name
    try:
        data = read_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    if path.suffix == PACKED_SUFFIX:
        data = unpack(data, path)
    if sha256_bytes(data) != stated.sha256:
        raise _damaged(path, f"sha256 {sha256_bytes(data)[:12]}..., {ARTIFACT_FILE} states {stated.sha256[:12]}...")
    return data


def _pack(model: bytes) -> tuple[str, bytes]:
    """Return the model's file name and content, packed where that saves a quarter; same model, same bytes."""
    packed = pack(model)
    worth = len(packed) < min(WORTH_PACKING * len(model), len(model) - LEAST_SAVED)
    return (f"{MODEL_FILE}{PACKED_SUFFIX}", packed) if worth else (MODEL_FILE, model)


def _damaged(path: Path, got: str) -> DataError:
    return DataError(f"{path} is damaged", details={"got": got}, hint="copy it again, or convert the model again")
