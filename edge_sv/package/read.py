"""Open a device package: check every file, give back the model as an artifact that runs on this computer.

Needs neither LiteRT nor TensorFlow Lite Micro, so that it works on devices that have only one of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import MANIFEST_ENTRY, MANIFEST_FILE
from edge_sv.artifacts.provenance import Provenance
from edge_sv.errors import DataError, EdgeSvError, UsageError, reason_of
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.package.manifest import Manifest, parse_manifest
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.system.files import read_file, sha256_bytes
from edge_sv.tflite import metadata
from edge_sv.tflite.layer_cost import LayerProfile

COHORT_ENTRY = "edge_sv_cohort"
SIGNATURE, SIGNATURE_WITHIN = b'"name": "edge_sv"', 120
"""In the first bytes of every manifest."""


@dataclass(frozen=True)
class DevicePackage:
    """A package on disk.

    Args:
        path: its folder, or the .tflite alone.
        manifest: what it says of itself.
        model: its .tflite, as it was packaged.
        speaker: the model as an artifact; None for a net alone, which has no front end.
    """

    path: Path
    manifest: Manifest
    model: bytes = field(repr=False)
    speaker: ModelArtifact | None

    @property
    def artifact(self) -> ModelArtifact:
        """The model with its front end.

        Raises:
            UsageError: it has none.
        """
        if self.speaker is None:
            raise UsageError(
                f"{self.path} holds a net without a front end, which embeds no recordings",
                hint="edge-sv emulate runs its golden vectors",
            )
        return self.speaker

    @property
    def arena_bytes(self) -> int | None:
        """Memory to reserve for tensors; None where the runtime manages its own."""
        return self.manifest.sizes.state_bytes if self.manifest.arena is None else self.manifest.arena.bytes


def read_package(path: Path) -> DevicePackage:
    """Open a package.

    Args:
        path: its folder, in which the sha256 of every file is checked, or a .tflite alone that carries its manifest.

    Raises:
        DataError: a file is missing or damaged (it is named), has no manifest, or was written by a newer version.
    """
    return _read_single_file(path) if path.is_file() else _read_folder(path)


def is_package(folder: Path) -> bool:
    """Tell whether a folder holds a package, be it damaged: whether its manifest begins as this program writes it."""
    try:
        return SIGNATURE in read_file(folder / MANIFEST_FILE)[:SIGNATURE_WITHIN]
    except OSError:
        return False


def package_files(folder: Path, *, new: Collection[str]) -> tuple[str, ...]:
    """List what belongs to the package in a folder, paths below it.

    Args:
        folder: which need not be there, or hold a package.
        new: what will be written there; a package whose manifest is damaged is taken to have had the same files.
    """
    if not is_package(folder):
        return ()
    try:
        listed = parse_manifest(read_file(folder / MANIFEST_FILE), folder).files or {}
    except (OSError, DataError):
        return (*new, MANIFEST_FILE)
    return (*listed, MANIFEST_FILE)


def _read_folder(folder: Path) -> DevicePackage:
    path = folder / MANIFEST_FILE
    manifest = parse_manifest(_read(path), path)
    contents = {name: _checked(folder, name, sha256) for name, sha256 in (manifest.files or {}).items()}
    if manifest.model.file not in contents or (manifest.cohort and manifest.cohort.file not in contents):
        raise DataError(f"{path} is damaged", details={"got": "it does not list its own model or cohort"})
    model = metadata.strip(contents[manifest.model.file], manifest.model.bytes)
    cohort = contents[manifest.cohort.file] if manifest.cohort else None
    return DevicePackage(folder, manifest, model, _speaker(manifest, model, cohort, folder / manifest.model.file))


def _read_single_file(path: Path) -> DevicePackage:
    data = _read(path)
    entries = metadata.extract(data)
    if MANIFEST_ENTRY not in entries:
        raise DataError(
            f"{path} has no edge_sv manifest inside, so its front end is unknown",
            hint="build it with edge-sv build --target tflite, or give a package's folder",
        )
    manifest = parse_manifest(entries[MANIFEST_ENTRY], f"the manifest in {path}")
    model = metadata.strip(data, manifest.model.bytes)
    return DevicePackage(path, manifest, model, _speaker(manifest, model, entries.get(COHORT_ENTRY), path))


def _speaker(manifest: Manifest, model: bytes, cohort: bytes | None, source: Path) -> ModelArtifact | None:
    if sha256_bytes(model) != manifest.model.sha256:
        raise _damaged(source, "its model is not the one that the manifest describes")
    if manifest.features is None:
        return None
    if manifest.segments is None or manifest.embedding_dim is None:
        raise _damaged(source, "it has a front end and no embedding")
    try:
        return ModelArtifact(
            name=manifest.model.name,
            kind=manifest.model.kind,
            model=model,
            features=FeatureConfig.from_dict(manifest.features),
            segments=SegmentRule(**manifest.segments.model_dump()),
            embedding_dim=manifest.embedding_dim,
            recipe=manifest.model.recipe,
            layers=tuple(LayerProfile.from_dict(layer) for layer in manifest.layers),
            scoring=None if manifest.scoring is None else Scoring.from_dict(manifest.scoring),
            cohort=None if cohort is None else Cohort.from_bytes(cohort),
            provenance=Provenance(manifest.provenance),
        )
    except (TypeError, KeyError, ValueError, OverflowError, EdgeSvError) as error:
        raise _damaged(source, str(error)) from error


def _checked(folder: Path, name: str, sha256: str) -> bytes:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _damaged(folder / MANIFEST_FILE, f"it lists a file outside of the package: {name}")
    data = _read(path)
    if sha256_bytes(data) != sha256:
        raise _damaged(path, f"sha256 {sha256_bytes(data)[:12]}..., {MANIFEST_FILE} states {sha256[:12]}...")
    return data


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise DataError(
            f"cannot read {path}",
            details={"got": reason_of(error)},
            hint="give a package's folder; edge-sv build MODEL --target cortex-m --out PACKAGE makes one",
        ) from error


def _damaged(path: Path, got: str) -> DataError:
    return DataError(f"{path} is damaged", details={"got": got}, hint="copy it again, or build the package again")
