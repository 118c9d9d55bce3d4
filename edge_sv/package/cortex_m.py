"""The `cortex-m` package: the net as generated C99 with the device runtime, golden vectors, CMake and make files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.frontend.constants import check_streamable, features_source
from edge_sv.package import manifest as schema
from edge_sv.package.budget import Footprint
from edge_sv.package.describe import MODEL_FILE, banner, common_files, describe, seal
from edge_sv.package.device_memory import features_bytes, memory_bytes
from edge_sv.package.golden_vectors import GoldenVector, make_vectors
from edge_sv.package.kind import PackageKind
from edge_sv.package.render import render_folder
from edge_sv.package.target import Target, load_target, template_folder
from edge_sv.package.tflite_micro import cohort_values
from edge_sv.plugins.generator import DEFAULT_GENERATOR, CodeOptions, GeneratedNet, PlanName, find_generator
from edge_sv.runtimes.exact import exact_interpreter
from edge_sv.system.bundled import targets_dir
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats, used_operators

KIND = "cortex-m"
GENERATOR = DEFAULT_GENERATOR
CODE_BYTES = 30_000
"""Front end with tables, a ResNet's kernels, runtime, store and protocol on a Cortex-M4F (GCC 12, -O2): an estimate;
`edge-sv emulate` measures it."""

SMALL_SOURCES = (
    *("esv", "esv_base64", "esv_crc32", "esv_embedding", "esv_gate", "esv_protocol", "esv_score", "esv_segments"),
    *("esv_siphash", "esv_square_root", "esv_status", "esv_store", "esv_store_log", "esv_text"),
)
"""The runtime around net and front end: compiled for size (-Os), for it is as fast so. All else: -O2."""

_PREFIX = "PREFIX"
"""Stands for the prefix in the names of template files."""


class CortexMPackage(PackageKind):
    """The `cortex-m` kind of package, see `PackageKind`."""

    @property
    def weight_bits(self) -> tuple[int, ...] | None:
        """Bits of compressed weights that the generated code has kernels for."""
        return find_generator(GENERATOR).weight_costs.bit_widths

    @property
    def activation_bits(self) -> tuple[int, ...]:
        """Bits of activations that the generated code has kernels for."""
        return find_generator(GENERATOR).activation_bits

    def measure(self, artifact: ModelArtifact, code: CodeOptions) -> Footprint:
        """Say what the package costs; see `write.estimate_footprint`."""
        grid, _ = tensor_formats(parse_model(artifact.model))
        check_streamable(artifact.features, grid)
        net = generate(artifact, code)
        cohort = cohort_values(artifact)
        return Footprint(
            model_bytes=net.constant_bytes,
            cohort_bytes=0 if cohort is None else cohort.size,
            code_bytes=CODE_BYTES,
            state_bytes=net.ram_bytes,
            buffer_bytes=runtime_bytes(artifact, net.ram_bytes),
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
        formats, kinds = tensor_formats(model), used_operators(model)
        golden = make_vectors(artifact, formats, exact_interpreter(artifact.model))
        manifest = describe(artifact, target, footprint, formats=formats, operators=kinds, golden=golden, check=check)
        net = generate(artifact, code)
        manifest = manifest.model_copy(update={"generated": describe_generated(net, code)})
        files = _files(artifact, target, manifest, net, code, golden=golden)
        return seal(manifest, {MODEL_FILE: artifact.model, **files, **common_files(artifact, golden)})


def source_files(artifact: ModelArtifact, code: CodeOptions) -> dict[str, bytes]:
    """Make a package's `include` and `src`: all that a program for the device is compiled from."""
    model, target = parse_model(artifact.model), load_target(KIND)
    manifest = describe(
        artifact,
        target,
        CortexMPackage().measure(artifact, code),
        formats=tensor_formats(model),
        operators=used_operators(model),
        golden=(),
        check=None,
    )
    net = generate(artifact, code)
    manifest = manifest.model_copy(update={"generated": describe_generated(net, code)})
    files = _files(artifact, target, manifest, net, code, golden=())
    return {name: data for name, data in files.items() if name.split("/")[0] in ("include", "src")}


def runtime_bytes(artifact: ModelArtifact, state_bytes: int) -> int:
    """Return the memory that the device runtime takes beside the net's state."""
    scoring = artifact.scoring
    whole = memory_bytes(
        artifact.features,
        state_bytes=state_bytes,
        frames=artifact.segments.frames,
        embedding_dim=artifact.embedding_dim,
        top_n=scoring.top_n if scoring is not None and scoring.kind == "as_norm" and scoring.top_n else 0,
    )
    return whole - state_bytes


def generate(artifact: ModelArtifact, code: CodeOptions) -> GeneratedNet:
    """Write the artifact's net as C."""
    return _generate(artifact.model, code.prefix, banner(artifact), True, code.plan)


def describe_generated(net: GeneratedNet, code: CodeOptions) -> schema.GeneratedPart:
    """Make the manifest's part about the generated code."""
    return schema.GeneratedPart(
        generator=GENERATOR,
        prefix=code.prefix,
        plan=net.plan,
        plans=tuple(schema.PlanPart(**asdict(cost)) for cost in net.plans),
        kernels=net.kernels,
        constants=tuple(schema.ConstantPart(**asdict(constant)) for constant in net.constants),
        inputs=tuple(schema.Port(**asdict(port)) for port in net.inputs),
        outputs=tuple(schema.Port(**asdict(port)) for port in net.outputs),
    )


def render_package(target: Target, context: Mapping[str, Any]) -> dict[str, bytes]:
    """Render this kind's templates, or the target's own."""
    rendered = render_folder(template_folder(target, KIND), {**context, "small_sources": SMALL_SOURCES})
    return {name.replace(_PREFIX, context["prefix"]): data for name, data in rendered.items()}


def device_sources() -> dict[str, bytes]:
    """Return all of the portable runtime, path in the package -> content."""
    common = targets_dir() / "common"
    paths = sorted(path for folder in ("include", "src") for path in (common / folder).glob("*.[ch]"))
    return {path.relative_to(common).as_posix(): path.read_bytes() for path in paths}


def _files(
    artifact: ModelArtifact,
    target: Target,
    manifest: schema.Manifest,
    net: GeneratedNet,
    code: CodeOptions,
    *,
    golden: Sequence[GoldenVector],
) -> dict[str, bytes]:
    """Make what is generated, rendered or copied, path -> content."""
    grid, _ = tensor_formats(parse_model(artifact.model))
    features = features_source(artifact.features, grid, prefix=code.prefix)
    context = {
        "manifest": manifest,
        "banner": banner(artifact),
        "prefix": code.prefix,
        "cohort_values": cohort_values(artifact),
        "features_bytes": features_bytes(artifact.features),
        "golden": golden,
    }
    generated = {**net.files, f"src/{code.prefix}_features.c": features.encode()}
    return {**device_sources(), **generated, **render_package(target, context)}


@lru_cache(maxsize=4)
def _generate(model: bytes, prefix: str, first_line: str, speaker: bool, plan: PlanName | None) -> GeneratedNet:
    generator = find_generator(GENERATOR)
    return generator.generate(model, prefix=prefix, banner=first_line, speaker=speaker, plan=plan)
