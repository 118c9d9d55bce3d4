"""Streaming plans: generated C that is fed frame by frame, under sanitizers, gives what TensorFlow Lite Micro gives for
the whole utterance, at the exported length and at others."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from edge_sv_converters.c_source.emitted import describe_speaker
from edge_sv_converters.c_source.generate import CSourceGenerator
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.c_source.operators.table import lower_graph
from edge_sv_converters.c_source.stream_source import emit_streaming
from edge_sv_converters.c_source.streaming import NotLocal, StreamingPlan, plan_streaming

from edge_sv.errors import UsageError
from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.system.array_types import Int8
from edge_sv.system.bundled import assets_dir
from tests.firmware.conftest import COMMON, WARNINGS, run, tool
from tests.int8_models import SAME, VALID, Int8Model, with_frames

HARNESS = Path(__file__).parents[1] / "firmware" / "host" / "stream_utterances.c"
PREFIX = "esv_model"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
FLAGS = ["-std=c11", "-O1", "-ffp-contract=off", *WARNINGS, *SANITIZE, f"-I{COMMON / 'include'}"]
OK, SHAPE = 0, -6


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
        emitted = emit_streaming(plan, prefix=PREFIX, banner="Test.", speaker=self._speaker)
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

    def check(self, lengths: Sequence[int], begun: Sequence[int] | None = None) -> None:
        """Compare with the net exported for each length."""
        utterances = [self.utterance(length) for length in lengths]
        for frames, answer in zip(utterances, self.answer(utterances, begun), strict=True):
            assert answer.statuses == (OK, OK, OK), len(frames)
            expected = run_tflm(with_frames(self.model, len(frames)), frames)
            np.testing.assert_array_equal(answer.embedding, expected, err_msg=f"{len(frames)} frames")


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels and the streaming engine as an archive, with sanitizers."""
    folder = tmp_path_factory.mktemp("kernels")
    modules = "add broadcast clamp conv depthwise f32 lookup mean move mul pool square_root stream tensor".split()
    sources = sorted(path for name in modules for path in (COMMON / "src").glob(f"esv_{name}*.c"))
    for source in sources:
        run([tool("gcc"), *FLAGS, "-c", source, "-o", folder / f"{source.stem}.o"])
    run([tool("gcc-ar"), "rcs", folder / "kernels.a", *sorted(folder.glob("*.o"))])
    return folder / "kernels.a"


def run_tflm(model: bytes, frames: Int8) -> Int8:
    """Run a model on a whole utterance in TensorFlow Lite Micro."""
    return np.asarray(TflmInterpreter(model).run(frames)[0], np.int8).ravel()


def bundled(name: str) -> bytes:
    return (assets_dir() / name / "static_wi8_ai8" / "model.tflite").read_bytes()


@pytest.mark.parametrize("name", ["resnet-thin", "resnet-nano"])
def test_bundled_resnets(name: str, tmp_path: Path, kernels: Path) -> None:
    net = StreamedNet(bundled(name), tmp_path, kernels)
    net.check([100, 200, 1000, net.plan.least_frames, 57, 33, 201])
    assert net.plan.state_bytes <= {"resnet-thin": 80, "resnet-nano": 40}[name] * 1024


def test_without_strides_that_pad_any_length_follows_a_plain_begin(tmp_path: Path, kernels: Path) -> None:
    net = StreamedNet(bundled("resnet-thin"), tmp_path, kernels)
    net.check([64, 65, 66, 67, 71], begun=[200] * 5)


def test_a_length_padded_otherwise_must_be_begun_as_such(tmp_path: Path, kernels: Path) -> None:
    net = StreamedNet(bundled("resnet-nano"), tmp_path, kernels)
    even, odd, short = net.utterance(60), net.utterance(61), net.utterance(net.plan.least_frames - 1)
    answers = net.answer([even, odd, odd, even, short, even], begun=[200, 200, 61, 61, 200, len(short)])
    assert [answer.statuses for answer in answers] == [
        (OK, OK, OK),
        (OK, OK, SHAPE),
        (OK, OK, OK),
        (OK, OK, SHAPE),
        (OK, OK, SHAPE),
        (SHAPE, SHAPE, SHAPE),
    ]
    for answer, frames in ((answers[0], even), (answers[2], odd)):
        np.testing.assert_array_equal(answer.embedding, run_tflm(with_frames(net.model, len(frames)), frames))


@pytest.mark.parametrize("seed", range(8))
def test_random_nets(seed: int, tmp_path: Path, kernels: Path) -> None:
    model = random_net(seed)
    net = StreamedNet(model, tmp_path, kernels)
    rng = np.random.default_rng(seed)
    least = net.plan.least_frames
    exported = net.plan.steps[0].call.inputs[0].num_rows
    net.check([exported, least, least + 1, *(int(n) for n in rng.integers(least, least + 70, 10))])


def test_rows_of_floats(tmp_path: Path, kernels: Path) -> None:
    net = Int8Model((1, 30, 5, 1), seed=11)
    x = net.float_island(net.conv(net.input, 3, (3, 1)))
    x = net.conv(net.float_island(net.float_island(x)), 2, (3, 3), stride=(2, 1))
    StreamedNet(net.pack(net.mean(x, (1,))), tmp_path, kernels).check([30, 31, 1, 2, 45])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_random_nets(seed: int, tmp_path: Path, kernels: Path) -> None:
    test_random_nets(seed, tmp_path, kernels)
    test_two_passes_over_kept_frames(seed, tmp_path, kernels)


@pytest.mark.parametrize("axes", [(1,), (1, 2)], ids=["time", "time and frequency"])
def test_the_mean_of_any_number_of_frames(axes: tuple[int, ...], tmp_path: Path, kernels: Path) -> None:
    model = Int8Model((1, 50, 6, 1), seed=len(axes))
    net = StreamedNet(model.pack(model.mean(model.input, axes)), tmp_path, kernels)
    net.check([*range(1, 70), *(n + step for n in (128, 256, 512, 1024, 2000) for step in (-1, 0, 1)), 200, 1000])


@pytest.mark.slow
def test_the_mean_of_every_number_of_frames(tmp_path: Path, kernels: Path) -> None:
    model = Int8Model((1, 50, 6, 1), seed=3)
    StreamedNet(model.pack(model.mean(model.input, (1, 2))), tmp_path, kernels).check(range(1, 2001))


def random_net(seed: int, *, passes: int = 1) -> bytes:
    """Write a net of random operators, local up to its pooling; with two passes also over deviations from the mean."""
    rng = np.random.default_rng(seed)
    mels = int(rng.integers(3, 14))
    net = Int8Model((1, int(rng.integers(40, 90)), mels, 1), seed=seed)
    x = net.input
    for _ in range(int(rng.integers(2, 6))):
        x = _BLOCKS[int(rng.integers(len(_BLOCKS)))](net, x, rng)
    means = [net.mean(x, axes) for axes in ((1,), (1, 2)) if axes == (1, 2) or rng.integers(2)]
    if passes == 2:
        means.append(net.mean(net.unary("RELU", net.join("SUB", x, net.mean(x, (1,)))), (1,)))
    pooled = [net.reshape(mean, (1, 1, 1, int(np.prod(net.shape(mean))))) for mean in means]
    return net.pack(_join_pooled(net, pooled))


def _join_pooled(net: Int8Model, pooled: list[int]) -> int:
    """Embed each pooled vector, and add the embeddings."""
    embeddings = [net.conv(vector, 5) for vector in pooled]
    output = functools.reduce(lambda a, b: net.join("ADD", a, b), embeddings)
    return net.reshape(output, (1, 5))


def _random_conv(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 1 + min(3, net.shape(x)[2]))))
    dilated = bool(rng.integers(2))
    stride = (1, 1) if dilated else (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    dilation = (int(rng.integers(1, 4)), 1) if dilated else (1, 1)
    padding = SAME if (kernel[0] - 1) * dilation[0] + stride[0] > 6 else int(rng.choice([SAME, VALID]))
    relu = bool(rng.integers(2))
    channels = int(rng.integers(1, 10))
    return net.conv(x, channels, kernel, stride=stride, dilation=dilation, padding=padding, relu=relu)


def _random_depthwise(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    return net.depthwise(x, (int(rng.integers(1, 5)), 3), stride=(int(rng.integers(1, 3)), 1))


def _random_pool(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    kind = str(rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]))
    size, step = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    return net.pool(x, kind, (size, 1), stride=(step, 1), padding=int(rng.choice([SAME, VALID])))


def _random_residual(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    """A ResNet block, with stride 2 at times; its shortcut a 1x1 convolution or none."""
    channels, stride = int(rng.integers(1, 8)), int(rng.integers(1, 3))
    y = net.conv(x, channels, (3, 1), stride=(stride, 1), relu=True)
    for _ in range(int(rng.integers(0, 3))):
        y = net.conv(y, channels, (int(rng.choice([1, 3, 5])), 1))
    shortcut = x if stride == 1 else net.pool(x, "AVERAGE_POOL_2D", (2, 1), stride=(2, 1), padding=SAME)
    if net.shape(x)[3] != channels:
        shortcut = net.conv(shortcut, channels)
    return net.join(str(rng.choice(["ADD", "SUB", "MUL"])), shortcut, y)


def _random_constant(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    _, _, width, channels = net.shape(x)
    shape = [(1, 1, 1, channels), (1, 1, width, channels), (1, 1, 1, 1), (channels,)][int(rng.integers(4))]
    return net.join(str(rng.choice(["ADD", "SUB", "MUL"])), x, net.constant(shape))


def _flatten(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    _, rows, width, channels = net.shape(x)
    return net.reshape(x, (1, rows, 1, width * channels))


def _random_unary(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    return net.unary(str(rng.choice(["RELU", "LOGISTIC", "TANH"])), x)


def _random_pad(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    above, below, left, right = (int(n) for n in rng.integers(0, 4, 4))
    return net.pad(x, (above, below), (left, right))


def _widen(net: Int8Model, x: int, rng: np.random.Generator) -> int:
    return net.concatenate(x, net.conv(x, 3, (3, 1), relu=True))


_BLOCKS = [
    _random_conv,
    _random_depthwise,
    _random_pool,
    _random_residual,
    _random_constant,
    _random_unary,
    _random_pad,
    _widen,
    _flatten,
]


@pytest.mark.parametrize("seed", range(4))
def test_two_passes_over_kept_frames(seed: int, tmp_path: Path, kernels: Path) -> None:
    net = StreamedNet(random_net(seed, passes=2), tmp_path, kernels)
    assert net.plan.obstacle is not None
    assert net.plan.obstacle.operator.startswith("SUB")
    exported = net.plan.least_frames
    assert exported == net.plan.max_frames
    net.check([exported, exported])
    answers = net.answer([net.utterance(n) for n in (exported - 1, exported + 1)], begun=[exported] * 2)
    assert [answer.statuses for answer in answers] == [(OK, OK, SHAPE), (OK, SHAPE, OK)]


def _obstacle(model: bytes) -> str:
    """Return why a net is not local."""
    plan = plan_streaming(lower_graph(read_graph(model)))
    return str(plan if isinstance(plan, NotLocal) else plan.obstacle)


def test_a_net_with_squeeze_and_excitation_is_not_local() -> None:
    why = _obstacle(bundled("ecapa-small"))
    assert why.startswith("MUL 'block1_se_scale' (operator 18) needs 'block1_se_gate', which is known after the last")


def test_the_generator_says_why_there_is_no_streaming_plan() -> None:
    generator = CSourceGenerator()
    net = generator.generate(bundled("ecapa-small"), prefix=PREFIX, banner="Test.", speaker=True)
    assert net.plan == "static"
    assert [(cost.name, cost.ram_bytes is None) for cost in net.plans] == [("static", False), ("streaming", True)]
    assert net.plans[1].note.startswith("no, because MUL 'block1_se_scale' (operator 18)")
    with pytest.raises(UsageError, match="no streaming plan"):
        generator.generate(bundled("ecapa-small"), prefix=PREFIX, banner="Test.", speaker=True, plan="streaming")


def test_the_generator_takes_the_smaller_plan_unless_told() -> None:
    generator, model = CSourceGenerator(), bundled("resnet-nano")
    net = generator.generate(model, prefix=PREFIX, banner="Test.", speaker=True)
    static = generator.generate(model, prefix=PREFIX, banner="Test.", speaker=True, plan="static")
    assert (net.plan, static.plan) == ("streaming", "static")
    assert net.plans == static.plans
    assert net.ram_bytes < static.ram_bytes


def test_a_constant_along_time_is_not_local() -> None:
    net = Int8Model((1, 20, 4, 1))
    x = net.join("ADD", net.input, net.constant((1, 20, 4, 1)))
    assert "a constant that differs from frame to frame" in _obstacle(net.pack(net.mean(x, (1, 2))))


def test_frames_that_are_moved_are_not_local() -> None:
    net = Int8Model((1, 20, 4, 1))
    assert "moves values from frame to frame" in _obstacle(net.pack(net.reshape(net.input, (1, 40, 2, 1))))


def test_an_output_for_each_frame_is_not_local() -> None:
    net = Int8Model((1, 20, 4, 1))
    assert _obstacle(net.pack(net.conv(net.input, 3))) == "the output has a row for each frame"
