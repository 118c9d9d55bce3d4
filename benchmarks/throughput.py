"""How much speech a net embeds in a minute: LiteRT against onnxruntime running the same net.

    python benchmarks/throughput.py [--preset resnet-130k] [--net FOLDER] [--rounds 9] [--json]

The net is converted for both: LiteRT runs TensorFlow's float and int8 conversion, onnxruntime the float net rebuilt
from the same operators and weights (checked to give the same embeddings) and its own int8 quantization of it. Sides
take turns, round by round, and each counts its fastest round, so read the ratios: hours depend on the machine. A
second of speech is one segment at the default hop. The front end is measured apart. Needs `[train]`, onnx, onnxruntime.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnx_rebuild import OnnxRebuild
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.litert import LiteRTEmbedder
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule
from edge_sv.plugins.converter import Calibration, find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.system.array_types import Float32
from edge_sv.system.native_log import held_native_log

Run = Callable[[Float32], Float32]
SEGMENTS = 40


class _Segments(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the calibration segments to onnxruntime's quantizer."""

    def __init__(self, segments: Float32) -> None:
        self.left = iter(segments)

    def get_next(self) -> dict[str, Float32] | None:
        segment = next(self.left, None)
        return None if segment is None else {"features": segment[None, None]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="resnet-130k")
    parser.add_argument("--net", type=Path, help="folder of a float net, in place of a preset with random weights")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        net = options.net or make_preset(Path(folder) / "net", options.preset)
        rows = compare(net, Path(folder), options.rounds)
    if options.json:
        print(json.dumps({"net": options.net.name if options.net else options.preset, "rows": rows}, indent=2))
        return
    print(f"{'':<34} {'ms/segment':>10} {'hours/minute':>13} {'ratio':>6}")
    for row in rows:
        print(f"{row['name']:<34} {row['ms']:>10.3f} {row['hours_per_minute']:>13.1f} {row['ratio']:>6.2f}")
    print("\nratio: to onnxruntime with the same kind of numbers and as many threads; above 1 is faster")


def compare(net: Path, folder: Path, rounds: int) -> list[dict[str, object]]:
    """Time every side on the same segments."""
    from edge_sv.models.checkpoint import load_description

    description = load_description(net)
    features, rule = description.features, description.segments
    segments = make_segments(features, rule)
    converter = find_converter("tflite")
    with held_native_log():
        artifact = converter.convert(net, load_recipe("static_wi8_ai8"), Calibration(segments, "seeded noise"))
        float_model = converter.convert_float(net)
    sides = make_sides(artifact, float_model, segments, folder)
    check_same(sides, segments)
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            for segment in segments:
                run(segment)
            best[name] = min(best[name], (time.perf_counter() - start) / len(segments))
    hop_seconds = rule.hop_frames * features.hop_ms / 1000
    rows = []
    for name, seconds in best.items():
        peer = best[name.replace("LiteRT", "onnxruntime")]
        hours = 60 / seconds * hop_seconds / 3600
        rows.append({"name": name, "ms": seconds * 1e3, "hours_per_minute": hours, "ratio": peer / seconds})
    return [*rows, front_end_row(features, rule)]


def make_sides(artifact: ModelArtifact, float_model: bytes, segments: Float32, folder: Path) -> dict[str, Run]:
    """Open the net in both runtimes, float and int8, with one thread and with two."""
    onnx_float, onnx_int8 = folder / "float.onnx", folder / "int8.onnx"
    onnx_float.write_bytes(OnnxRebuild(float_model).model())
    logging.disable(logging.WARNING)
    quantize_static(
        onnx_float,
        onnx_int8,
        _Segments(segments),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    sides: dict[str, Run] = {}
    for threads in (1, 2):
        label = f"{threads} thread{'s' * (threads > 1)}"
        sides[f"LiteRT int8, {label}"] = LiteRTEmbedder(artifact, threads=threads).run
        sides[f"onnxruntime int8, {label}"] = open_onnx(onnx_int8, threads)
        sides[f"LiteRT float, {label}"] = open_float(float_model, threads)
        sides[f"onnxruntime float, {label}"] = open_onnx(onnx_float, threads)
    return sides


def open_onnx(path: Path, threads: int) -> Run:
    """Return a function that runs an ONNX net on (frames, num_mels)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda segment: np.asarray(session.run(None, {"features": segment[None, None]})[0][0], np.float32)


def open_float(model: bytes, threads: int) -> Run:
    """Return a function that runs a float .tflite on (frames, num_mels)."""
    interpreter = LiteRTInterpreter(model, threads=threads)
    return lambda segment: np.asarray(interpreter.run(segment)[0].ravel(), np.float32)


def check_same(sides: dict[str, Run], segments: Float32) -> None:
    """Stop when the sides are not the same net: float to 1e-3 of the embedding's length, int8 to a cosine of 0.9."""
    wanted = sides["LiteRT float, 1 thread"](segments[0])
    for name, run in sides.items():
        got = run(segments[0])
        distance = float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
        cosine = float(got @ wanted / np.linalg.norm(got) / np.linalg.norm(wanted))
        if ("float" in name and distance > 1e-3) or cosine < 0.9:
            sys.exit(f"{name} is not the same net: distance {distance:.4f}, cosine {cosine:.4f}")


def front_end_row(features: FeatureConfig, rule: SegmentRule) -> dict[str, object]:
    """Time the front end on one minute of noise, in the same unit."""
    pcm = np.random.default_rng(2).integers(-8000, 8000, 60 * features.sample_rate).astype(np.int16)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        compute_features(pcm, features)
        times.append(time.perf_counter() - start)
    hop_seconds = rule.hop_frames * features.hop_ms / 1000
    milliseconds = min(times) / 60 * hop_seconds * 1e3
    return {"name": "front end", "ms": milliseconds, "hours_per_minute": 1 / min(times), "ratio": float("nan")}


def make_segments(features: FeatureConfig, rule: SegmentRule) -> Float32:
    """Draw seeded segments that change slowly over time and bands, as log-mels do."""
    noise = np.random.default_rng(1).normal(size=(SEGMENTS, rule.frames, features.num_mels))
    smooth = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)
    return np.clip(2 * smooth, -features.clip, features.clip).astype(np.float32)


def make_preset(folder: Path, name: str) -> Path:
    """Write a preset with seeded random weights."""
    with held_native_log():
        import tf_keras

        from edge_sv.models.checkpoint import build_net, save_net
        from edge_sv.models.presets import describe_preset

        tf_keras.utils.set_random_seed(1)
        description = describe_preset(name)
        save_net(folder, description, build_net(description))
    return folder


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
