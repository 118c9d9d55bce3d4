"""The device's program on an emulated board: exact, and slow. For a few trials."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.emulation.board import DEFAULT_BOARD, Board, load_board
from edge_sv.emulation.device import EmulatedDevice, Source
from edge_sv.emulation.speaker import artifact_source, package_source
from edge_sv.package import DevicePackage
from edge_sv.runtimes.interpreter import Values, describe_tensor, fit_inputs
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.code_version import code_identity
from edge_sv.system.files import sha256_file
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
        self._folder = tempfile.TemporaryDirectory(prefix="edge-sv-emulate-")
        folder = Path(self._folder.name)
        source = _source(artifact, package, folder / "code")
        place = board or load_board(DEFAULT_BOARD)
        self._device = EmulatedDevice(artifact, source, board=place, folder=folder)
        super().__init__(artifact, _EmulatedNet(self._device, parse_model(artifact.model)))
        self._program = [place.name, sha256_file(self._device.program.elf)]

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`: of the program, its board and the code that calls it."""
        return code_identity(EmulatedDevice.__module__, libraries=("numpy",), options=self._program)

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording by the device's runtime, (num_samples,) int16 -> (embedding_dim,) float32 of length 1.

        Raises:
            DataError: the device refuses the recording: too little speech, or overdriven.
        """
        return self._device.embed(pcm).embedding


class _EmulatedNet:
    """The net alone on the device, an `Interpreter`."""

    def __init__(self, device: EmulatedDevice, model: Any) -> None:
        self._device = device
        self.inputs, self.outputs = (
            [describe_tensor(number, grid.shape, np.int8, (grid.scale, grid.zero_point))]
            for number, grid in enumerate(tensor_formats(model))
        )

    def run(self, *inputs: Values) -> list[Values]:
        """Run the net, see `Interpreter.run`."""
        (segment,) = fit_inputs(inputs, self.inputs)
        return [self._device.run_vectors(segment)]


def _source(artifact: ModelArtifact, package: DevicePackage | None, folder: Path) -> Source:
    if package is not None and package.manifest.generated is not None:
        return package_source(package, package.manifest.generated)
    return artifact_source(artifact, folder)
