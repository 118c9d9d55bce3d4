"""The `tflite` package: one .tflite with manifest and cohort in its metadata, golden vectors, a README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import MANIFEST_ENTRY
from edge_sv.package.budget import Footprint
from edge_sv.package.describe import COHORT_FILE, MODEL_FILE, banner, common_files, describe, seal
from edge_sv.package.golden_vectors import make_vectors
from edge_sv.package.kind import PackageKind
from edge_sv.package.read import COHORT_ENTRY
from edge_sv.package.render import render_folder
from edge_sv.package.target import Target, template_folder
from edge_sv.plugins.generator import CodeOptions
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.tflite import metadata
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats, used_operators


class TflitePackage(PackageKind):
    """The `tflite` kind of package, see `PackageKind`."""

    @property
    def runs_in_tflm(self) -> bool:
        """No: on a phone it runs in LiteRT."""
        return False

    def measure(self, artifact: ModelArtifact, code: CodeOptions) -> Footprint:
        """Say what the package costs: the model's file; LiteRT manages its own memory."""
        return Footprint(
            model_bytes=len(artifact.model),
            cohort_bytes=0 if artifact.cohort is None else len(artifact.cohort.to_bytes()),
        )

    def make_files(
        self,
        artifact: ModelArtifact,
        target: Target,
        footprint: Footprint,
        check: Mapping[str, Any] | None,
        code: CodeOptions,
    ) -> dict[str, bytes]:
        """Make all files of the package, path -> content."""
        model = parse_model(artifact.model)
        formats = tensor_formats(model)
        golden = make_vectors(artifact, formats, LiteRTInterpreter(artifact.model, reference_kernels=True))
        manifest = describe(
            artifact, target, footprint, formats=formats, operators=used_operators(model), golden=golden, check=check
        )
        files = common_files(artifact, golden)
        inside = {MANIFEST_ENTRY: manifest.to_bytes()}
        if COHORT_FILE in files:
            inside[COHORT_ENTRY] = files[COHORT_FILE]
        files[MODEL_FILE] = metadata.embed(artifact.model, inside)
        context = {"manifest": manifest, "banner": banner(artifact), "golden": golden}
        files.update(render_folder(template_folder(target, "tflite"), context))
        return seal(manifest, files)
