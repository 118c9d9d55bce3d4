"""Streaming plans: generated C that is fed frame by frame, under sanitizers, gives what TensorFlow Lite Micro gives for
the whole utterance, at the exported length and at others."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from edge_sv_converters.c_source.emitted import describe_speaker
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.c_source.operators.table import lower_graph
from edge_sv_converters.c_source.stream_source import emit_streaming
from edge_sv_converters.c_source.streaming import NotLocal, StreamingPlan, plan_streaming
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.arena import import_tflm
from edge_sv.flatbuffer import parse_model
from edge_sv.resources import assets_dir
from tests.firmware.conftest import COMMON, WARNINGS, run, tool
from tests.int8_models import SAME, VALID, Int8Model, with_frames

HARNESS = Path(__file__).parents[1] / "firmware" / "host" / "stream_utterances.c"
PREFIX = "esv_model"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
FLAGS = ["-std=c11", "-O1", "-ffp-contract=off", *WARNINGS, *SANITIZE, f"-I{COMMON / 'include'}"]
OK, SHAPE = 0, -6

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Answer:
    """Statuses of begin, push and finish, and the embedding."""

    statuses: tuple[int, ...]
    embedding: Int8


class StreamedNet:
    """A model's streaming plan, compiled."""

    def __init__(self, model: bytes, folder: Path, kernels: Path) -> None:
        program = lower_graph(read_graph(model))
        plan = plan_streaming(program)
        assert isinstance(plan, StreamingPlan), str(plan)
        self.model, self.plan, self._folder = model, plan, folder
        self._speaker = describe_speaker(read_graph(model), model)
        emitted = emit_streaming(program, plan, prefix=PREFIX, banner="Test.", speaker=self._speaker)
        for name, text in emitted.files.items():
            (folder / name).write_text(text)
        self._program = folder / "net"
        sources = [HARNESS, folder / f"{PREFIX}.c", kernels]
        run([tool("gcc"), *FLAGS, f"-I{folder}", *sources, "-o", self._program])

    def answer(self, utterances: Sequence[Int8], begun: Sequence[int] | None = None) -> list[Answer]:
        """Stream utterances, each (frames, mels), begun as of its own length or of another."""
        source, target = self._folder / "in", self._folder / "out"
        lengths = [len(frames) for frames in utterances] if begun is None else begun
        source.write_bytes(
            b"".join(
                struct.pack("<II", length, len(frames)) + frames.tobytes()
                for length, frames in zip(lengths, utterances, strict=True)
            )
        )
        run([self._program, source, target])
        record = np.dtype([("statuses", "<i4", 3), ("embedding", "i1", self._speaker.embedding_dim)])
        answers = np.frombuffer(target.read_bytes(), record)
        return [Answer(tuple(int(s) for s in a["statuses"]), a["embedding"]) for a in answers]

    def utterance(self, frames: int, seed: int = 0) -> Int8:
        """Return seeded random frames, (frames, mels)."""
        rng = np.random.default_rng([frames, seed])
        return rng.integers(-128, 128, (frames, self._speaker.num_mels)).astype(np.int8)

    def check(self, lengths: Sequence[int]) -> None:
        """Compare with the net exported for each length."""
        utterances = [self.utterance(length) for length in lengths]
        for frames, answer in zip(utterances, self.answer(utterances), strict=True):
            assert answer.statuses == (OK, OK, OK), len(frames)
            expected = run_tflm(with_frames(self.model, len(frames)), frames)
            np.testing.assert_array_equal(answer.embedding, expected, err_msg=f"{len(frames)} frames")


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels and the streaming engine as an archive, with sanitizers."""
    folder = tmp_path_factory.mktemp("kernels")
    modules = ["add", "broadcast", "clamp", "conv", "depthwise", "lookup", "mean", "mul", "pool", "stream"]
    sources = sorted(path for name in modules for path in (COMMON / "src").glob(f"esv_{name}*.c"))
    for source in sources:
        run([tool("gcc"), *FLAGS, "-c", source, "-o", folder / f"{source.stem}.o"])
    run([tool("gcc-ar"), "rcs", folder / "kernels.a", *sorted(folder.glob("*.o"))])
    return folder / "kernels.a"


def run_tflm(model: bytes, frames: Int8) -> Int8:
    """Run a model on a whole utterance in TensorFlow Lite Micro."""
    interpreter = import_tflm().Interpreter.from_bytes(model, arena_size=32 << 20)
    shape = interpreter.get_input_details(0)["shape"]
    interpreter.set_input(frames.reshape(shape), 0)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0), np.int8).ravel()


def bundled(name: str) -> bytes:
    return (assets_dir() / name / "static_wi8_ai8" / "model.tflite").read_bytes()


@pytest.mark.parametrize("name", ["resnet-thin", "resnet-nano"])
def test_bundled_resnets(name: str, tmp_path: Path, kernels: Path) -> None:
    net = StreamedNet(bundled(name), tmp_path, kernels)
    net.check([100, 200, 1000, net.plan.least_frames, 57, 33, 201])
    assert net.plan.state_bytes <= {"resnet-thin": 80, "resnet-nano": 40}[name] * 1024
