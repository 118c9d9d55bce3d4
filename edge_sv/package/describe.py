"""What all packages have in common: their manifest, licences and golden vectors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import MANIFEST_FILE
from edge_sv.package import manifest as schema
from edge_sv.package.budget import Footprint
from edge_sv.package.golden_vectors import GoldenVector
from edge_sv.package.target import Target
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.runtimes.tflm_arena import MEASURED_ON
from edge_sv.system.bundled import targets_dir
from edge_sv.system.files import sha256_bytes
from edge_sv.system.version import __version__
from edge_sv.tflite.quantization import TensorFormat

MODEL_FILE = "model.tflite"
COHORT_FILE = "cohort.npz"
EMBEDDING_RULE = (
    "Cut the normalized log-mel frames into segments of `segments.frames` frames that start every "
    "`segments.hop_frames`; when frames are left over, one more segment ends with the last frame; a recording shorter "
    "than a segment is repeated until it fills one. Quantize each segment to the input's grid (round half away from "
    "zero, saturate), run the net, dequantize its output, scale it to length 1. The embedding is the mean of these, "
    "scaled to length 1. A voice print is the mean of its recordings' embeddings. The score of two embeddings is their "
    "cosine, or AS-norm where `scoring` says so; a score of at least `scoring.threshold` is accepted."
)


def describe(
    artifact: ModelArtifact,
    target: Target,
    footprint: Footprint,
    *,
    formats: tuple[TensorFormat, TensorFormat],
    operators: Sequence[str],
    golden: Sequence[GoldenVector],
    check: Mapping[str, Any] | None,
) -> schema.Manifest:
    """Make a package's manifest, without its list of files."""
    return schema.Manifest(
        schema_version=schema.SCHEMA_VERSION,
        tool=schema.Tool(name="edge_sv", version=__version__),
        target=describe_target(target),
        model=_model(artifact),
        input=schema.Tensor(dtype="int8", **asdict(formats[0])),
        output=schema.Tensor(dtype="int8", **asdict(formats[1])),
        embedding_dim=artifact.embedding_dim,
        embedding_rule=EMBEDDING_RULE,
        features=artifact.features.to_dict(),
        segments=schema.Segments(**asdict(artifact.segments)),
        scoring=None if artifact.scoring is None else artifact.scoring.to_dict(),
        cohort=None
        if artifact.cohort is None
        else schema.CohortPart(file=COHORT_FILE, num_speakers=len(artifact.cohort)),
        operators=tuple(operators),
        arena=_arena(footprint),
        sizes=describe_sizes(footprint),
        layers=tuple(layer.to_dict() for layer in artifact.layers),
        check=None if check is None else json.loads(json.dumps(dict(check))),
        provenance=json.loads(json.dumps(dict(artifact.provenance.stated))),
        golden=tuple(
            schema.Golden(name=vector.name, source=vector.source, num_segments=vector.num_segments) for vector in golden
        ),
        files=None,
    )


def _model(artifact: ModelArtifact) -> schema.Model:
    return schema.Model(
        name=artifact.name,
        kind=artifact.kind,
        recipe=artifact.recipe,
        file=MODEL_FILE,
        bytes=len(artifact.model),
        sha256=artifact.sha256,
    )


def describe_lookup(plain: ModelArtifact, footprint: Footprint) -> schema.LookupPart | None:
    """Make the manifest's part about lookup tables, None where the model has none.

    Args:
        plain: the artifact before.
        footprint: of the package.
    """
    lookup = None if footprint.plain is None else compress_tables(plain.model)
    if lookup is None or footprint.plain is None:
        return None
    return schema.LookupPart(
        plain_sha256=plain.sha256,
        plain_model_bytes=footprint.plain.model_bytes,
        plain_flash_bytes=footprint.plain.flash_bytes,
        plain_ram_bytes=footprint.plain.ram_bytes or 0,
        tables=tuple(schema.TablePart(**asdict(use)) for use in lookup.tables),
        skipped=lookup.skipped,
    )


def common_files(artifact: ModelArtifact, golden: Sequence[GoldenVector]) -> dict[str, bytes]:
    """Return licences, cohort and golden vectors, path -> content."""
    files = license_files()
    if artifact.cohort is not None:
        files[COHORT_FILE] = artifact.cohort.to_bytes()
    for vector in golden:
        files.update({f"golden/{vector.name}/{name}": data for name, data in vector.files().items()})
    return files


def seal(manifest: schema.Manifest, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Add the manifest, with the sha256 of every other file."""
    listed = {name: sha256_bytes(files[name]) for name in sorted(files)}
    return {**files, MANIFEST_FILE: manifest.model_copy(update={"files": listed}).to_bytes()}


def banner(artifact: ModelArtifact) -> str:
    """Return the line that generated files begin with: no time, no place, and nothing that would end a comment."""
    name, recipe = (re.sub(r"[^\w.+-]", "_", text) for text in (artifact.name, artifact.recipe))
    return f"Generated by edge_sv {__version__} from {name}, {recipe}, sha256 {artifact.sha256}."


def describe_target(target: Target) -> schema.Device:
    """Make the manifest's part about the target."""
    fields = {name: value for name, value in target.to_dict().items() if name in schema.Device.model_fields}
    return schema.Device(**fields)


def license_files() -> dict[str, bytes]:
    """Return the licences that go into every package, path -> content."""
    return {f"LICENSES/{path.name}": path.read_bytes() for path in sorted((targets_dir() / "licenses").glob("*.txt"))}


def _arena(footprint: Footprint) -> schema.ArenaPart | None:
    arena = footprint.arena
    return None if arena is None else schema.ArenaPart(bytes=arena.bytes, measured_on=MEASURED_ON, **asdict(arena))


def describe_sizes(footprint: Footprint) -> schema.Sizes:
    """Make the manifest's part about bytes."""
    return schema.Sizes(
        flash_bytes=footprint.flash_bytes,
        model_bytes=footprint.model_bytes,
        cohort_bytes=footprint.cohort_bytes,
        code_bytes_estimate=footprint.code_bytes,
        ram_bytes=footprint.ram_bytes,
        object_bytes=footprint.object_bytes,
        buffer_bytes=footprint.buffer_bytes,
        state_bytes=footprint.state_bytes,
    )
