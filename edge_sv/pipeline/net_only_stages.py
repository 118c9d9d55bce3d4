"""The stages of a bare net: any int8 .tflite becomes generated code, without front end, conversion or speech."""

from __future__ import annotations

from pathlib import Path

from edge_sv.errors import UsageError
from edge_sv.package import DevicePackage
from edge_sv.package.budget import Footprint
from edge_sv.package.net_only import (
    NetOnlyModel,
    NetOnlyVector,
    generate_net_only,
    make_net_only_vectors,
    measure_net_only,
    read_net_only,
    write_net_only_package,
)
from edge_sv.package.read import MANIFEST_ENTRY
from edge_sv.package.target import Target
from edge_sv.pipeline.check_generated_c import check_net_only_package
from edge_sv.pipeline.package_stage import Limits, Staged, make_package, refuse_foreign_folder, sources_sha256
from edge_sv.plugins.generator import CodeOptions, find_generator
from edge_sv.system.bundled import targets_dir
from edge_sv.system.files import sha256_bytes
from edge_sv.system.stage_cache import StageCache, folder_sha256
from edge_sv.tflite import metadata

KIND = "cortex-m"
SUFFIX = ".tflite"


def find_net_only(model: Path | str) -> Path | None:
    """Return the path of a .tflite that says nothing about a front end; None for everything else."""
    path = Path(model)
    if path.suffix != SUFFIX or not path.is_file():
        return None
    return None if MANIFEST_ENTRY in metadata.extract(path.read_bytes()) else path


class NetOnlyStages:
    """The stages of one build of a bare net.

    Args:
        path: the .tflite.
        target: what it is built for.
        cache: finished stages.
        code: how code is written.

    Raises:
        UsageError: the target runs no generated code.
        DataError: the file is damaged.
    """

    def __init__(self, path: Path, target: Target, cache: StageCache, *, code: CodeOptions) -> None:
        if target.package != KIND:
            raise UsageError(
                f"{path} has no front end, so target '{target.name}' cannot package it",
                hint=f"--target {KIND} compiles any int8 .tflite; or build from a net's folder",
            )
        self.net: NetOnlyModel = read_net_only(path)
        self._target, self._cache, self._code = target, cache, code

    def measure(self) -> Footprint:
        """Say what the net costs.

        Raises:
            DataError: an operator cannot be compiled; it is named.
        """
        return measure_net_only(generate_net_only(self.net, self._code))

    def check(self) -> Staged[list[NetOnlyVector]]:
        """Make the golden vectors: random inputs through TensorFlow Lite Micro.

        Raises:
            DataError: an operator cannot be compiled, or the net does not run in TensorFlow Lite Micro.
            ToolMissing: tflite-micro is not installed.
        """
        vectors = make_net_only_vectors(self.net, generate_net_only(self.net, self._code))
        return Staged(vectors, False, f"{len(vectors)} random inputs through TensorFlow Lite Micro")

    def package(self, vectors: list[NetOnlyVector], out: Path, limits: Limits) -> Staged[DevicePackage]:
        """Write the package, compare its code with the vectors, and place it at `out`.

        Raises:
            AccuracyGateFailed: the generated code does not compute what TensorFlow Lite Micro computes.
            DoesNotFit: it is larger than a limit.
            UsageError: `out` is something else than a package.
            DataError: `out` is not writable.
        """
        refuse_foreign_folder(out)

        def make(folder: Path) -> None:
            package = write_net_only_package(
                self.net,
                self._target,
                folder / "package",
                vectors=vectors,
                code=self._code,
                max_flash=limits.flash,
                max_ram=limits.ram,
            )
            check_net_only_package(package, [(vector.inputs, vector.outputs) for vector in vectors])

        return make_package(self._cache, self.package_inputs(limits), out, make=make)

    def package_inputs(self, limits: Limits) -> list[object]:
        """Everything that the package depends on."""
        sources = [folder_sha256(targets_dir()), sources_sha256(find_generator(self._target.converter))]
        options = [self._code.prefix, self._code.plan, limits.flash, limits.ram]
        return [sha256_bytes(self.net.model), self.net.name, self._target.to_dict(), sources, options]
