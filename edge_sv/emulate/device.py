"""A device package on an emulated board: its program, built once and run as often as asked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sv.emulate.board import Board
from edge_sv.emulate.machine import FirmwareRun, run_program
from edge_sv.emulate.program import Program, build_program, emulator_sources
from edge_sv.errors import DataError, UsageError
from edge_sv.features import FeatureConfig, Float32, Int16
from edge_sv.package.manifest import GeneratedPart
from edge_sv.package.read import DevicePackage
from edge_sv.tensor_format import Int8

FLASH_FILE, SECTORS_BYTES = "flash.bin", 2 * 4096
"""The emulated flash for voice prints, as board_port.h lays it out."""
_RECORDING, _SCRIPT = "recording.pcm", "script.txt"
_OPERATOR = re.compile(r"^operator (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class EmulatedEmbedding:
    """What the device made of a recording.

    Args:
        frames: (num_segments, frames, num_mels) int8, what went into the net.
        outputs: (num_segments, embedding_dim) int8, what came out.
        embedding: (embedding_dim,) float32 of length 1.
    """

    frames: Int8
    outputs: Int8
    embedding: Float32


@dataclass(frozen=True)
class Instructions:
    """Instructions that a recording took, to a few hundred; not cycles.

    Args:
        features: all but the net: front end, speech check, segments.
        inference: the net.
        seconds: length of the recording.
        stack_bytes: the deepest that the stack has been.
    """

    features: int
    inference: int
    seconds: float
    stack_bytes: int

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.features + self.inference

    def per_second(self) -> dict[str, int]:
        """Return instructions per second of recording."""
        parts = {"features": self.features, "inference": self.inference, "total": self.total}
        return {name: round(count / self.seconds) for name, count in parts.items()}


class EmulatedDevice:
    """A speaker package on an emulated board.

    Args:
        package: of kind cortex-m, with a front end.
        board: where it runs.
        folder: an empty folder for its programs and files, the device's for as long as it is used.

    Raises:
        UsageError: the package is of another kind.
        DoesNotFit: it is larger than the board.
        DataError: its sources do not compile.
        ToolMissing: the compiler is not installed.
    """

    def __init__(self, package: DevicePackage, board: Board, folder: Path) -> None:
        artifact = package.artifact
        self.package, self.board, self.folder = package, board, folder
        self.sample_rate = artifact.features.sample_rate
        self.shape = (artifact.segments.frames, artifact.features.num_mels)
        self.embedding_dim = artifact.embedding_dim
        self.program = self._build("program", {})
        self._counting: Program | None = None
        (folder / FLASH_FILE).write_bytes(b"\xff" * SECTORS_BYTES)

    def run_vectors(self, segments: Int8) -> Int8:
        """Run the net alone: (num_segments, frames, num_mels) int8 -> (num_segments, embedding_dim) int8."""
        self._run(["vectors", str(len(segments))], {"input.bin": segments.tobytes()})
        return self._read("output.bin").reshape(len(segments), self.embedding_dim)

    def embed(self, pcm: Int16) -> EmulatedEmbedding:
        """Embed a recording, (num_samples,) int16.

        Raises:
            DataError: the device refuses it, or crashed.
        """
        self._run(["embed", _RECORDING], {_RECORDING: pcm.astype("<i2").tobytes()})
        outputs = self._read("output.bin").reshape(-1, self.embedding_dim)
        return EmulatedEmbedding(
            frames=self._read("frames.bin")[: len(outputs) * math.prod(self.shape)].reshape(-1, *self.shape),
            outputs=outputs,
            embedding=self._read("embedding.bin").view("<f4"),
        )

    def measure(self, pcm: Int16) -> Instructions:
        """Count the instructions of a recording, (num_samples,) int16; the same each time."""
        run = self._run(["measure", _RECORDING], {_RECORDING: pcm.astype("<i2").tobytes()})
        counted = dict(line.split() for line in run.output.splitlines())
        features = int(counted["features"])
        return Instructions(
            features=features,
            inference=int(counted["total"]) - features,
            seconds=len(pcm) / self.sample_rate,
            stack_bytes=run.stack_bytes,
        )

    def count_operators(self, pcm: Int16) -> dict[int, int]:
        """Count the instructions of each operator of the net over a recording: number of the operator -> instructions.

        Measured in a program of its own, whose code tells when an operator begins.
        """
        if self._counting is None:
            self._counting = self._build("counting", {"ESV_OPERATOR_HOOK": 1})
        run = self._run(
            ["measure", _RECORDING], {_RECORDING: pcm.astype("<i2").tobytes()}, program=self._counting
        )
        return {int(number): int(count) for number, count in _OPERATOR.findall(run.output)}

    def talk(self, script: bytes) -> list[str]:
        """Send lines of the line protocol; return the lines of its answers. What it stores stays for the next time."""
        return self._run(["talk", _SCRIPT], {_SCRIPT: script}).output.splitlines()

    def _run(
        self, words: Sequence[str], files: Mapping[str, bytes], *, program: Program | None = None
    ) -> FirmwareRun:
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        run = run_program(program or self.program, arguments=words, folder=self.folder)
        if run.exit_code != 0:
            reason = run.output.strip().removeprefix("error ") or f"exit code {run.exit_code}"
            raise DataError(f"the device '{self.board.name}' refused", details={"got": reason})
        return run

    def _read(self, name: str) -> Int8:
        return np.frombuffer((self.folder / name).read_bytes(), np.int8)

    def _build(self, name: str, defines: Mapping[str, int]) -> Program:
        common = emulator_sources()
        generated = generated_part(self.package)
        folder = self.folder / name
        folder.mkdir()
        return build_program(
            [*package_sources(self.package), common / "speaker_memory.c"],
            [self.package.path / "include", self.package.path / "src"],
            self.board,
            folder=folder,
            main=[common / "speaker.c", common / "board_port.c"],
            defines={**_constants(self.package, generated.prefix), **defines, "EMULATOR_CLOCK_HZ": self._clock_hz},
        )

    @property
    def _clock_hz(self) -> str:
        return f"{self.board.target.clock_hz or self.board.machine.systick_hz}u"


def generated_part(package: DevicePackage) -> GeneratedPart:
    """Return what the manifest says of the generated code.

    Raises:
        UsageError: there is none.
    """
    if package.manifest.generated is None:
        raise UsageError(
            f"{package.path} holds no generated code", hint="edge-sv build ... --target cortex-m"
        )
    return package.manifest.generated


def package_sources(package: DevicePackage) -> list[Path]:
    """Return the package's C files."""
    return sorted((package.path / "src").glob("*.c"))


def _constants(package: DevicePackage, prefix: str) -> dict[str, str | int]:
    """Return the preprocessor symbols that speaker.c and speaker_memory.c ask for."""
    upper, artifact = prefix.upper(), package.artifact
    scoring = artifact.scoring
    as_norm = scoring is not None and scoring.kind == "as_norm"
    return {
        "EMULATOR_NET": prefix,
        "EMULATOR_CONFIG_HEADER": f'"{prefix}_config.h"',
        "EMULATOR_MEMORY_BYTES": (
            f"ESV_BYTES({upper}_STATE_BYTES,{features_bytes(artifact.features)},{upper}_FRAMES,"
            f"{upper}_NUM_MELS,{upper}_EMBEDDING_DIM,{upper}_TOP_N)"
        ),
        "EMULATOR_COHORT": f"&{prefix}_cohort" if as_norm else "NULL",
        "EMULATOR_TOP_N": f"{upper}_TOP_N",
        "EMULATOR_HOP_FRAMES": f"{upper}_HOP_FRAMES",
        "EMULATOR_THRESHOLD": f"{upper}_THRESHOLD" if scoring else "1.0f",
        "EMULATOR_NUM_VALUES": max(artifact.features.num_mels, artifact.embedding_dim),
    }


def features_bytes(config: FeatureConfig) -> int:
    """Return what esv_features_bytes tells."""
    parts = (config.fft_size // 2 * 8, config.num_mels * 4, config.window_length * 2)
    return sum(-(-part // 16) * 16 for part in parts) + 64
