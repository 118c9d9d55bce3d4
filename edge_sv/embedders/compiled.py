"""The device's C on this computer: front end, segments, net and mean, compiled from the sources that a board gets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.errors import DataError
from edge_sv.frontend.features import check_pcm
from edge_sv.package import DevicePackage
from edge_sv.plugins.generator import DEFAULT_PREFIX
from edge_sv.runtimes.generated_c import CompiledDevice, CompiledSpeakerNet
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.code_version import code_identity
from edge_sv.system.files import read_file, sha256_file

SOURCE_FOLDERS = ("include", "src")


class CompiledEmbedder(IntegerEmbedder):
    """Runs generated C.

    Args:
        artifact: what the sources were generated from.
        files: path -> content of a package's `include` and `src`.
        prefix: of the generated names.
        cache: where compiled libraries are kept; None: the user's cache.

    Raises:
        ToolMissing: there is no C compiler.
        DataError: the sources do not compile, or are of another model.
    """

    def __init__(
        self,
        artifact: ModelArtifact,
        files: Mapping[str, bytes],
        *,
        prefix: str = DEFAULT_PREFIX,
        cache: Path | None = None,
    ) -> None:
        self._library, self._prefix = compile_library(files, cache=cache), prefix
        net = CompiledSpeakerNet(self._library, prefix)
        if net.model_sha256 != artifact.sha256:
            raise DataError(
                f"the generated code is not of model '{artifact.name}'",
                details={"got": net.model_sha256, "wanted": artifact.sha256},
            )
        super().__init__(artifact, net)

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`: of the compiled library and of the code that calls it."""
        return code_identity(CompiledDevice.__module__, libraries=("numpy",), options=[sha256_file(self._library)])

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording by the device's runtime, (num_samples,) int16 -> (embedding_dim,) float32 of length 1.

        Raises:
            UsageError: an array of another shape or type.
            DataError: the runtime refuses the recording.
        """
        check_pcm(pcm)
        return self._device.embed(pcm)

    @cached_property
    def _device(self) -> CompiledDevice:
        return CompiledDevice(self._library, self._prefix)


def compile_package(package: DevicePackage, *, cache: Path | None = None) -> CompiledEmbedder:
    """Compile a package's own sources.

    Raises:
        ToolMissing: there is no C compiler.
        DataError: the package holds no generated code.
    """
    generated = package.manifest.generated
    if generated is None:
        raise DataError(f"{package.path} holds no generated code", hint="edge-sv build --target cortex-m")
    return CompiledEmbedder(package.artifact, package_sources(package), prefix=generated.prefix, cache=cache)


def package_sources(package: DevicePackage) -> dict[str, bytes]:
    """Read a package's sources, path -> content."""
    names = [name for name in package.manifest.files or {} if name.split("/")[0] in SOURCE_FOLDERS]
    return {name: read_file(package.path / name) for name in names}
