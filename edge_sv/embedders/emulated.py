"""The device's program on an emulated board: exact, and slow. For a few trials."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.emulation.board import DEFAULT_BOARD, Board, load_board
from edge_sv.emulation.device import EmulatedDevice, Source
from edge_sv.emulation.speaker import artifact_source, package_source
from edge_sv.package import DevicePackage
from edge_sv.system.array_types import Float32, Int8, Int16
from edge_sv.system.files import sha256_bytes, sha256_file
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats


class EmulatedEmbedder(IntegerEmbedder):
    """Runs a net, from samples to embedding, on an emulated board.

    Args:
        artifact: the net.
        package: whose code it is; None: code is generated from the artifact.
        board: where it runs; None: a Cortex-M4F.

    Raises:
        ToolMissing: the compiler or the emulator is not installed.
        DoesNotFit: the net is larger than the board.
    """

    def __init__(
        self, artifact: ModelArtifact, *, package: DevicePackage | None = None, board: Board | None = None
    ) -> None:
        super().__init__(artifact)
        self.input, self.output = tensor_formats(parse_model(artifact.model))
        self._folder = tempfile.TemporaryDirectory(prefix="edge-sv-emulate-")
        folder = Path(self._folder.name)
        source = _source(artifact, package, folder / "code")
        place = board or load_board(DEFAULT_BOARD)
        self._device = EmulatedDevice(artifact, source, board=place, folder=folder)
        self._sources_sha256 = sha256_bytes(f"{place.name} {sha256_file(self._device.program.elf)}".encode())

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`: of what was compiled."""
        return self._sources_sha256

    def invoke(self, segment: Int8) -> Int8:
        """Run the net, see `IntegerEmbedder.invoke`."""
        (output,) = self._device.run_vectors(segment[np.newaxis])
        return np.asarray(output)

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording by the device's runtime, (num_samples,) int16 -> (embedding_dim,) float32 of length 1.

        Raises:
            DataError: the device refuses the recording: too little speech, or overdriven.
        """
        return self._device.embed(pcm).embedding


def _source(artifact: ModelArtifact, package: DevicePackage | None, folder: Path) -> Source:
    if package is not None and package.manifest.generated is not None:
        return package_source(package, package.manifest.generated)
    return artifact_source(artifact, folder)
