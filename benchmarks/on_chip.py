"""What nets, front end and runtime take on a chip, beside TensorFlow Lite Micro with CMSIS-NN and beside the aims.

    python benchmarks/on_chip.py [--json]

Everything is counted in QEMU: instructions, which are not cycles, and bytes; two runs print the same. Every run is
compared bit for bit with this computer, and the command fails on the first difference. M4F is a Cortex-M4 with a
floating-point unit, M55 a Cortex-M55 with vector instructions; 1 KB is 1,000 bytes. The reference was measured
beforehand on the same emulated board, with int8 nets of 2 s; its ECAPA has 128 channels and 72.6 million
multiply-accumulates. Needs QEMU and arm-none-eabi-gcc.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from device_front_end import measure_cost
from instructions import NETS, REFERENCE, measure_nets

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import open_artifact
from edge_sv.emulation import load_board
from edge_sv.emulation.device import EmulatedDevice
from edge_sv.emulation.reference import ExpectedDevice
from edge_sv.emulation.speaker import artifact_source
from edge_sv.errors import AccuracyGateFailed
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system.bundled import assets_dir
from tests.int8_models import with_frames

M4F, M55, SMALL_PART = "mps2-an386", "mps3-an547", "nrf52840"
PER_MAC = {"resnet-thin": 1.25, "resnet-nano": 1.3, "ecapa-small": 1.6}
"""Aims."""
NARROW = {"4-bit weights": ("int4",), "4-bit palettes, of layers or channels": ("palette4", "palette4_channels")}
STREAMING = {"resnet-thin": (522_800, 80_000), "resnet-nano": (200_900, 40_000)}
"""What the reference takes at 2 s, and the aim at any length."""
LONG_FRAMES = 998
"""What 10 s of speech give."""
FORMATS = {"ratio": "{:.3f}", "bytes": "{:,.0f} bytes", "instructions": "{:,.0f}"}


@dataclass(frozen=True)
class Figure:
    """A line of the table.

    Args:
        name: what was measured.
        reference: what TensorFlow Lite Micro with CMSIS-NN takes, in words.
        aim: at most this; None where there is none.
        reached: what was measured.
        unit: a key of `FORMATS`.
    """

    name: str
    reference: str
    aim: float | None
    reached: float
    unit: str

    @property
    def holds(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        return None if self.aim is None else self.reached <= self.aim

    def row(self) -> str:
        """Return a line of Markdown."""
        aim = "" if self.aim is None else FORMATS[self.unit].format(self.aim)
        reached = FORMATS[self.unit].format(self.reached)
        return f"| {self.name} | {self.reference} | {aim} | {f'**{reached}**' if self.holds else reached} |"


@dataclass(frozen=True)
class Streamed:
    """What a streaming net takes with the device runtime around it.

    Args:
        state_bytes: RAM of the net alone.
        ram_bytes: all variables.
        code_bytes: all functions, the C library's included.
        instructions: per second of speech, front end included.
    """

    state_bytes: int
    ram_bytes: int
    code_bytes: int
    instructions: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    options = parser.parse_args()
    figures = [*net_figures(), *streaming_figures(), *device_figures()]
    if options.json:
        rows = [{**asdict(figure), "holds": figure.holds} for figure in figures]
        print(json.dumps({"schema_version": 1, "figures": rows}, indent=2))
        return
    print("| figure | TFLM + CMSIS-NN | aim, at most | reached |\n|---|---|---:|---:|")
    for figure in figures:
        print(figure.row())
    print("\nBold: the aim is reached.")


def net_figures() -> Iterator[Figure]:
    """Measure whole nets under the static plan, all weight formats."""
    narrow = [name for names in NARROW.values() for name in names]
    rows = exact_rows([*measure_nets([M4F], ["int8", *narrow]), *measure_nets([M55], ["int8"])])
    cost = {(row["net"], row["weights"], row["board"]): row["instructions_per_mac"] for row in rows}
    for net in NETS:
        name = f"instructions per multiply-accumulate, M4F, int8, {net}"
        yield Figure(name, f"{REFERENCE[net, M4F]:.2f}", PER_MAC[net], cost[net, "int8", M4F], "ratio")
    for words, formats in NARROW.items():
        worst = max(cost[net, name, M4F] / cost[net, "int8", M4F] for net in NETS for name in formats)
        yield Figure(f"{words}: times int8's instructions, M4F, worst net", "none runs them", 1.2, worst, "ratio")
    worst = max(cost[net, "int8", M55] for net in NETS)
    reference = "convolution .33, fully connected .47"
    yield Figure("instructions per multiply-accumulate, M55, int8, worst net", reference, 0.3, worst, "ratio")
    state = next(row["state_bytes"] for row in rows if row["net"] == "ecapa-small")
    yield Figure("RAM, static plan, ecapa-small, 2 s", "346 KB", 240_000, state, "bytes")


def exact_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows if every net computed what it computes here.

    Raises:
        AccuracyGateFailed: one did not.
    """
    wrong = [f"{row['net']} {row['weights']} {row['board']}" for row in rows if not row["bit_exact"]]
    if wrong:
        raise AccuracyGateFailed(
            "a board does not compute what this computer computes", details={"nets": ", ".join(wrong)}
        )
    return rows


def streaming_figures() -> Iterator[Figure]:
    """Stream short and long utterances, each as one segment."""
    for net, (reference, aim) in STREAMING.items():
        artifact = open_artifact(net)
        short, long = (embed(with_segments(artifact, 100 * seconds), 100 * seconds, M4F) for seconds in (2, 10))
        words = f"{reference / 1000:.1f} KB"
        yield Figure(f"RAM, streaming plan, {net}, 2 s", words, aim, short.state_bytes, "bytes")
        yield Figure(f"RAM, streaming plan, {net}, 10 s", "", aim, long.state_bytes, "bytes")
        yield Figure(f"RAM of the whole package, runtime included, {net}, 2 s", "", None, short.ram_bytes, "bytes")


def device_figures() -> Iterator[Figure]:
    """Measure the front end alone, then the whole path on a small part: long speech, and the length that costs most.

    Frames that a recording has beyond its last whole segment are computed as they come, and after its end once more,
    in a segment that ends there. One frame more than a segment so makes the net run twice.
    """
    features = measure_cost("resnet-nano", M4F, fixed=False).instructions
    yield Figure("front end, instructions per second of audio, M4F", "", 3e6, features, "instructions")
    artifact = open_artifact("resnet-nano")
    long, worst = (embed(artifact, frames, SMALL_PART) for frames in (LONG_FRAMES, artifact.segments.frames + 1))
    name = f"resnet-nano, front end included, streaming, {SMALL_PART}: instructions per second of speech"
    yield Figure(f"{name}, 10 s", "does not fit", 40e6, long.instructions, "instructions")
    yield Figure(f"{name}, a frame more than a segment", "does not fit", 40e6, worst.instructions, "instructions")
    name = "code without weights, M4F: front end, resnet-nano, store, protocol, C library"
    yield Figure(name, "131 KB without front end", 20_000, long.code_bytes, "bytes")


def with_segments(artifact: ModelArtifact, frames: int) -> ModelArtifact:
    """Return the same net for segments of another length."""
    return replace(artifact, model=with_frames(artifact.model, frames), segments=SegmentRule(frames, frames))


def embed(artifact: ModelArtifact, frames: int, board_name: str) -> Streamed:
    """Embed so many frames of speech on an emulated board, by the streaming plan, and check the embedding.

    Raises:
        AccuracyGateFailed: it is not this computer's.
    """
    print(f"{artifact.name} streaming {frames} frames {board_name}", file=sys.stderr)
    board = load_board(board_name)
    voices = [read_recording(path) for path in sorted((assets_dir() / "voices").glob("*.flac"))]
    num_samples = artifact.features.window_length + (frames - 1) * artifact.features.hop_length
    pcm = np.concatenate(voices)[:num_samples]
    with tempfile.TemporaryDirectory() as name:
        source = artifact_source(artifact, Path(name) / "code")
        assert source.plan == "streaming", "the smaller plan"
        device = EmulatedDevice(artifact, source, board=board, folder=Path(name))
        expected = ExpectedDevice(artifact, fixed=not board.target.fpu)
        difference = expected.compare(artifact.name, pcm, device.embed(pcm))
        instructions = device.measure(pcm).per_second()["total"]
    if not difference.exact:
        differing = {name: str(count) for name, count in vars(difference).items()}
        raise AccuracyGateFailed(f"'{board_name}' does not embed what this computer embeds", details=differing)
    return Streamed(source.state_bytes, device.program.ram_bytes, device.program.code_bytes, instructions)


if __name__ == "__main__":
    main()
