"""The `tflite-micro` package: model, cohort and golden vectors as C, glue around TensorFlow Lite Micro, CMake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.package.budget import Footprint, buffer_bytes, estimate_code, object_bytes
from edge_sv.package.describe import MODEL_FILE, banner, common_files, describe, describe_lookup, seal
from edge_sv.package.golden_vectors import make_vectors
from edge_sv.package.kind import PackageKind
from edge_sv.package.recorded_arena import find_arena
from edge_sv.package.render import render_folder
from edge_sv.package.target import Target, template_folder
from edge_sv.plugins.generator import CodeOptions
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.runtimes.exact import exact_interpreter
from edge_sv.system.array_types import Int8
from edge_sv.system.bundled import targets_dir
from edge_sv.system.npz import parse_arrays
from edge_sv.tflite.flatbuffer import parse_model, profile_operators
from edge_sv.tflite.tflm_operators import convolution_filters, resolver_methods, tensor_formats, used_operators

SHARED_SOURCES = ("esv_embedding.c", "esv_score.c", "esv_square_root.c", "esv_status.c", "esv_tensor.c")
SHARED_HEADERS = ("esv_align.h", "esv_embedding.h", "esv_score.h", "esv_square_root.h", "esv_status.h", "esv_tensor.h")
"""What the package takes from targets/common."""


class TfliteMicroPackage(PackageKind):
    """The `tflite-micro` kind of package, see `PackageKind`."""

    def measure(self, artifact: ModelArtifact, code: CodeOptions) -> Footprint:
        """Say what the package costs, the arena measured; see `write.estimate_footprint`.

        Lookup tables are taken when they save flash, the code that expands them included. They cost RAM: the weights
        of a layer are expanded before it runs.
        """
        plain = _measure(artifact)
        lookup = compress_tables(artifact.model) if code.lookup_tables else None
        if lookup is None:
            return plain
        compact = _measure(with_tables(artifact))
        return replace(compact, plain=plain) if compact.flash_bytes < plain.flash_bytes else plain

    def make_files(
        self,
        artifact: ModelArtifact,
        target: Target,
        footprint: Footprint,
        check: Mapping[str, Any] | None,
        code: CodeOptions,
    ) -> dict[str, bytes]:
        """Make all files of the package, path -> content."""
        plain, artifact = artifact, artifact if footprint.plain is None else with_tables(artifact)
        model = parse_model(artifact.model)
        formats, kinds = tensor_formats(model), used_operators(model)
        golden = make_vectors(artifact, formats, exact_interpreter(plain.model))
        manifest = describe(artifact, target, footprint, formats=formats, operators=kinds, golden=golden, check=check)
        manifest = manifest.model_copy(update={"lookup": describe_lookup(plain, footprint)})
        cohort = cohort_values(artifact)
        own = ("esv_model.cc", "esv_model_data.c", *(() if cohort is None else ("esv_cohort.c",)))
        context = {
            "manifest": manifest,
            "banner": banner(artifact),
            "model": artifact.model,
            "methods": resolver_methods(kinds),
            "cohort_values": cohort,
            "golden": golden,
            "sources": [f"src/{name}" for name in sorted((*SHARED_SOURCES, *own))],
        }
        files = {MODEL_FILE: artifact.model, **_shared_files(), **common_files(artifact, golden)}
        files.update(render_folder(template_folder(target, "tflite-micro"), context))
        return seal(manifest, files)


def with_tables(artifact: ModelArtifact) -> ModelArtifact:
    """Return the artifact with lookup tables, as it is where they gain nothing."""
    lookup = compress_tables(artifact.model)
    if lookup is None:
        return artifact
    return replace(artifact, model=lookup.model, layers=profile_operators(parse_model(lookup.model)))


def _measure(artifact: ModelArtifact) -> Footprint:
    model = parse_model(artifact.model)
    kinds = used_operators(model)
    resolver_methods(kinds)  # refuses an operator that TensorFlow Lite Micro lacks, by name
    cohort = cohort_values(artifact)
    return Footprint(
        model_bytes=len(artifact.model),
        cohort_bytes=0 if cohort is None else cohort.size,
        code_bytes=estimate_code(len(kinds)),
        arena=find_arena(artifact.model, filters=convolution_filters(model)),
        object_bytes=object_bytes(len(kinds)),
        buffer_bytes=buffer_bytes(artifact),
    )


def cohort_values(artifact: ModelArtifact) -> Int8 | None:
    """Return the int8 cohort that the device scores with, (num_speakers, embedding_dim), None when it needs none.

    Its scale stays behind: cosines do not depend on it.
    """
    if artifact.cohort is None or artifact.scoring is None or artifact.scoring.kind != "as_norm":
        return None
    return np.asarray(parse_arrays(artifact.cohort.to_bytes(), "the cohort")["values"], np.int8)


def _shared_files() -> dict[str, bytes]:
    common = targets_dir() / "common"
    sources = {f"src/{name}": (common / "src" / name).read_bytes() for name in SHARED_SOURCES}
    return {**sources, **{f"src/{name}": (common / "include" / name).read_bytes() for name in SHARED_HEADERS}}
