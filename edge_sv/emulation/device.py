"""A net with its runtime on an emulated board: the program, built once and run as often as asked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation.board import Board
from edge_sv.emulation.program import Program, build_program, emulator_sources
from edge_sv.emulation.qemu import FirmwareRun, run_program
from edge_sv.errors import DataError, reason_of
from edge_sv.frontend.features import check_pcm
from edge_sv.package.cortex_m import SMALL_SOURCES
from edge_sv.system.array_types import Float32, Int8, Int16
from edge_sv.system.files import read_file

STACK_BYTES = 4096
"""Room for a package's stack; nets and runtime take about 1 KB."""
_FLASH_FILE, _FLASH_BYTES = "flash.bin", 2 * 4096
"""The emulated flash for voice prints, as board_port.h lays it out."""
_RECORDING, _SCRIPT = "recording.pcm", "script.bin"
_COUNTED = re.compile(r"\S+ (\d{1,18})\n\S+ (\d{1,18})\n")
_OPERATOR = re.compile(r"^operator (\d{1,9}) (\d{1,18})$", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """Generated code on disk.

    Args:
        folder: has `include` and `src`.
        prefix: of its names.
        plan: `static` or `streaming`.
        state_bytes: what the net needs.
    """

    folder: Path
    prefix: str
    plan: str
    state_bytes: int


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
    """

    features: int
    inference: int
    seconds: float

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.features + self.inference

    def per_second(self) -> dict[str, int]:
        """Return instructions per second of recording."""
        parts = {"features": self.features, "inference": self.inference, "total": self.total}
        return {name: round(count / self.seconds) for name, count in parts.items()}


class EmulatedDevice:
    """A speaker net with its runtime on an emulated board.

    Args:
        artifact: the net.
        source: its code.
        board: where it runs.
        folder: for its programs and files, the device's for as long as it is used.

    Raises:
        DoesNotFit: it is larger than the board.
        DataError: its sources do not compile.
        ToolMissing: the compiler is not installed.
    """

    def __init__(self, artifact: ModelArtifact, source: Source, *, board: Board, folder: Path) -> None:
        self.board = board
        self._source, self._folder = source, folder
        self._sample_rate = artifact.features.sample_rate
        self._shape = (artifact.segments.frames, artifact.features.num_mels)
        self._embedding_dim = artifact.embedding_dim
        self.program = self._build("program", {})
        self._counting: Program | None = None
        self.stack_bytes = 0  # the deepest that the stack has been while it measured and talked
        (folder / _FLASH_FILE).write_bytes(b"\xff" * _FLASH_BYTES)

    def run_vectors(self, segments: Int8) -> Int8:
        """Run the net alone: (num_segments, frames, num_mels) int8 -> (num_segments, embedding_dim) int8."""
        self._run(["vectors", str(len(segments))], {"input.bin": segments.tobytes()})
        return _shaped(self._read("output.bin"), (len(segments), self._embedding_dim))

    def embed(self, pcm: Int16) -> EmulatedEmbedding:
        """Embed a recording, (num_samples,) int16.

        Raises:
            DataError: the device refuses it, or crashed.
        """
        self._run(["embed", _RECORDING], {_RECORDING: _pcm_bytes(pcm)})
        values = self._read("output.bin")
        outputs = _shaped(values, (len(values) // self._embedding_dim, self._embedding_dim))
        frames = self._read("frames.bin")[: len(outputs) * math.prod(self._shape)]
        embedding = _shaped(self._read("embedding.bin"), (self._embedding_dim, 4)).view("<f4").reshape(-1)
        return EmulatedEmbedding(
            frames=_shaped(frames, (len(outputs), *self._shape)), outputs=outputs, embedding=embedding
        )

    def measure(self, pcm: Int16) -> Instructions:
        """Count the instructions of a recording, (num_samples,) int16; the same each time."""
        run = self._run(["measure", _RECORDING], {_RECORDING: _pcm_bytes(pcm)})
        self.stack_bytes = max(self.stack_bytes, run.stack_bytes)
        counted = _COUNTED.match(run.output)
        if counted is None:
            raise DataError("the program reported no instruction counts", details={"got": run.complaint})
        total, features = map(int, counted.groups())
        return Instructions(features, total - features, len(pcm) / self._sample_rate)

    def count_operators(self, pcm: Int16) -> dict[int, int]:
        """Count the instructions of each operator of the net over a recording: number of the operator -> instructions.

        Measured in a program of its own, whose code tells when an operator begins.
        """
        if self._counting is None:
            self._counting = self._build("counting", {"ESV_OPERATOR_HOOK": 1})
        run = self._run(["measure", _RECORDING], {_RECORDING: _pcm_bytes(pcm)}, program=self._counting)
        return operator_counts(run.output)

    def talk(self, script: bytes) -> list[str]:
        """Send bytes of the line protocol and return the lines of the answers; prints stay for the next time."""
        run = self._run(["talk", _SCRIPT], {_SCRIPT: script})
        self.stack_bytes = max(self.stack_bytes, run.stack_bytes)
        return run.output.splitlines()

    def _run(self, words: Sequence[str], files: Mapping[str, bytes], *, program: Program | None = None) -> FirmwareRun:
        for name, data in files.items():
            (self._folder / name).write_bytes(data)
        run = run_program(program or self.program, arguments=words, folder=self._folder)
        if run.exit_code != 0:
            raise DataError(f"the device on '{self.board.name}' refused", details={"got": run.complaint})
        return run

    def _read(self, name: str) -> Int8:
        try:
            return np.frombuffer(read_file(self._folder / name), np.int8)
        except OSError as error:
            raise DataError(f"the program did not write {name}", details={"got": reason_of(error)}) from error

    def _build(self, name: str, defines: Mapping[str, str | int]) -> Program:
        folder = self._folder / name
        folder.mkdir()
        return build_net_program(
            self._source.folder,
            self._source.prefix,
            self.board,
            folder=folder,
            product="speaker_product.c",
            main=["speaker.c", "board_port.c"],
            header=f"{self._source.prefix}_config.h",
            defines=defines,
        )


def _shaped(values: Int8, shape: tuple[int, ...]) -> Int8:
    """Return what a program wrote as an array of the shape that it should have."""
    if values.size != math.prod(shape):
        raise DataError("the program wrote another number of values", details={"got": f"{values.size} for {shape}"})
    return values.reshape(shape)


def operator_counts(output: str) -> dict[int, int]:
    """Read what a program with ESV_OPERATOR_HOOK has written: number of the operator -> instructions."""
    return {int(number): int(count) for number, count in _OPERATOR.findall(output)}


def build_net_program(
    sources: Path,
    prefix: str,
    board: Board,
    *,
    folder: Path,
    product: str,
    main: Sequence[str],
    header: str,
    defines: Mapping[str, str | int] | None = None,
) -> Program:
    """Build a program around generated code.

    Args:
        sources: the code's folder.
        prefix: of its names.
        board: where it runs.
        folder: an empty folder.
        product: file of targets/cortex-m/emulator with what a firmware would reserve.
        main: files there that run it.
        header: the code's header that these include.
        defines: further preprocessor symbols.

    Raises:
        ToolMissing, DataError, DoesNotFit: as `build_program`.
    """
    common = emulator_sources()
    files = sorted((sources / "src").glob("*.c"))
    return build_program(
        [*(path for path in files if path.stem not in SMALL_SOURCES), common / product],
        [sources / "include", sources / "src"],
        board,
        folder=folder,
        small_sources=[path for path in files if path.stem in SMALL_SOURCES],
        main=[common / name for name in main],
        stack_bytes=STACK_BYTES,
        defines={
            "EMULATOR_NET": prefix,
            "EMULATOR_NET_UPPER": prefix.upper(),
            "EMULATOR_NET_HEADER": f'"{header}"',
            **(defines or {}),
        },
    )


def _pcm_bytes(pcm: Int16) -> bytes:
    check_pcm(pcm)
    return pcm.astype("<i2").tobytes()
