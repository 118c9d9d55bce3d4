"""A build is checked, cached, resumable, and never packages what is wrong."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from edge_sv.pipeline.package_stage import Limits

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact, save_artifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.audio.recording import read_recording
from edge_sv.errors import AccuracyGateFailed, DataError, DoesNotFit, UsageError
from edge_sv.package import read_package
from edge_sv.pipeline.build import build, plan
from edge_sv.pipeline.check_conversion import CheckSet, allowed_eer, check_artifact
from edge_sv.pipeline.convert import check_set, convert_net
from edge_sv.plugins.converter import Calibration, calibrate, find_converter
from edge_sv.runtimes.layer_trace import first_difference, layer_losses
from edge_sv.scoring.speech_index import read_index, sample_speech
from edge_sv.scoring.trials import Trial, TrialList
from edge_sv.system.bundled import assets_dir
from edge_sv.system.stage_cache import StageCache
from edge_sv.tflite.flatbuffer import pack_model, parse_model, tensor_name
from tests.nets import FEATURES, SEGMENTS, make_converted_net, make_float_net, voice_calibration, voices

BREAKABLE = ("stem_conv", "stage1_block1_conv2", "stage2_block1_conv1", "embedding")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture(scope="module")
def artifact(net: Path) -> ModelArtifact:
    return load_artifact(net / "static_wi8_ai8")


@pytest.fixture(scope="module")
def float_model(net: Path) -> bytes:
    return find_converter("tflite").convert_float(net)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of synthetic voices cut into pieces: index.csv and a development list."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "synth").mkdir()
    rows, by_speaker = [], {}
    for path in voices():
        pcm, speaker = read_recording(path), path.stem.split("_")[0]
        for number, piece in enumerate(np.array_split(pcm, 3)):
            split = "dev" if number == 2 else "train"
            name = f"synth/{path.stem}_{number}.flac"
            soundfile.write(folder / name, piece, 16000)
            rows.append({"path": name, "speaker": speaker, "corpus": "synth", "split": split, "language": "en"})
            if split == "dev":
                by_speaker.setdefault(speaker, []).append(Path(name).name)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    files = [(speaker, name) for speaker, names in by_speaker.items() for name in names]
    lines = [f"{int(s == t)} {a} {b}" for i, (s, a) in enumerate(files) for t, b in files[i + 1 :]]
    (folder / "synth" / "trials_dev.txt").write_text("\n".join(lines))
    return folder / "index.csv"


def break_layer(artifact: ModelArtifact, layer: str) -> ModelArtifact:
    """Return the model with the weights of one layer in the wrong order."""
    graph = parse_model(artifact.model)
    (tensor,) = [t for t in graph.subgraphs[0].tensors if tensor_name(t) == f"{layer}/weights"]
    buffer = graph.buffers[tensor.buffer]
    buffer.data = np.roll(np.asarray(buffer.data), 5)
    return dataclasses.replace(artifact, model=pack_model(graph))


def voices_set() -> CheckSet:
    return check_set(None)


# --- the check -------------------------------------------------------------------------------------------------------


def test_a_good_conversion_passes(net: Path, artifact: ModelArtifact, float_model: bytes) -> None:
    report = check_artifact(artifact, net, voices_set(), float_model=lambda: float_model)
    assert report.bit_exact and report.exact_segments >= len(voices())
    assert 0.99 <= report.cosine_min <= report.cosine_mean <= 1.000001
    assert report.eer_float is None and "embeddings" not in report.to_dict()


@pytest.mark.parametrize("layer", BREAKABLE)
def test_a_broken_layer_fails_the_build_and_is_named(
    net: Path, artifact: ModelArtifact, float_model: bytes, layer: str
) -> None:
    with pytest.raises(AccuracyGateFailed, match=rf"layer +'{layer}' \(CONV_2D\) loses most") as caught:
        check_artifact(break_layer(artifact, layer), net, voices_set(), float_model=lambda: float_model)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("layer", BREAKABLE)
def test_the_first_layer_that_differs_on_the_device_is_named(artifact: ModelArtifact, layer: str) -> None:
    rng = np.random.default_rng(11)
    segment = rng.integers(-128, 128, (SEGMENTS.frames, FEATURES.num_mels)).astype(np.int8)
    assert first_difference(artifact.model, artifact.model, segment) is None
    difference = first_difference(artifact.model, break_layer(artifact, layer).model, segment)
    assert difference is not None and difference.layer == layer and difference.different > 0


def test_a_sum_differs_between_the_runtimes_and_is_named(tmp_path: Path, net: Path, artifact: ModelArtifact) -> None:
    """LiteRT's reference kernel of int8 SUM is wrong; exactly what the bit-exactness gate is there to find."""
    with pytest.raises(AccuracyGateFailed, match=r"'total' \(SUM\) differs first"):
        check_artifact(_with_sum(artifact), net, voices_set(), float_model=lambda: b"")


def _with_sum(artifact: ModelArtifact) -> ModelArtifact:
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(3)
    inputs = tf_keras.Input((SEGMENTS.frames, FEATURES.num_mels, 1))
    x = tf_keras.layers.Conv2D(artifact.embedding_dim, 3, name="conv")(inputs)
    model = tf_keras.Model(inputs, tf_keras.layers.Lambda(lambda t: tf.reduce_sum(t, (1, 2)), name="total")(x))
    shape = (1, SEGMENTS.frames, FEATURES.num_mels, 1)
    run = tf.function(lambda t: model(t)).get_concrete_function(tf.TensorSpec(shape))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    segments = voice_calibration().segments
    converter.representative_dataset = lambda: ([s[None, ..., None]] for s in segments)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    graph = parse_model(converter.convert())
    graph.subgraphs[0].tensors[graph.subgraphs[0].outputs[0]].name = b"total"
    return dataclasses.replace(artifact, model=pack_model(graph))


def test_losses_are_small_where_nothing_is_broken(artifact: ModelArtifact, float_model: bytes) -> None:
    losses = layer_losses(artifact.model, float_model, list(voice_calibration().segments[:2]))
    assert losses[0].layer == "stem_conv" and losses[-1].layer == "embedding_vector"
    assert losses[-1].output_db > 20


def test_eer_gate_allows_two_percent_or_one_trial() -> None:
    assert allowed_eer(0.10, targets=10_000) == pytest.approx(0.102)
    assert allowed_eer(0.001, targets=500) == pytest.approx(0.003)


def test_eer_gate_fails_the_build(
    net: Path, artifact: ModelArtifact, float_model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list whose target trials compare a voice with itself is free of errors until labels contradict int8."""
    names = list(voices_set().files)
    trials = TrialList(tuple(Trial(a == b, a, b) for a in names for b in names))
    data = dataclasses.replace(voices_set(), trials=trials)
    report = check_artifact(artifact, net, data, float_model=lambda: float_model)
    assert report.eer_float == report.eer_int8 == 0 and report.targets == len(names)
    monkeypatch.setattr("edge_sv.pipeline.check_conversion.MIN_COSINE", -1.0)
    worse = break_layer(artifact, "embedding")
    swapped = dataclasses.replace(data, trials=TrialList(tuple(Trial(not t.label, t.enroll, t.test) for t in trials)))
    broken = check_artifact(worse, net, data, float_model=lambda: float_model)
    assert broken.eer_int8 == 0, "a voice is like itself whatever the net"
    monkeypatch.setattr("edge_sv.pipeline.check_conversion.allowed_eer", lambda eer, targets: eer - 0.01)
    with pytest.raises(AccuracyGateFailed, match="verifies worse than float"):
        check_artifact(artifact, net, swapped, float_model=lambda: float_model)


# --- calibration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s[:31], "at least 32 segments"),
        (lambda s: np.where(np.arange(len(s))[:, None, None] == 4, np.nan, s), "segment 4 .* NaN"),
        (lambda s: np.where(np.arange(len(s))[:, None, None] == 2, 0.5, s), "segment 2 .* silent"),
    ],
)
def test_useless_calibration_is_refused(spoil: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Calibration(spoil(voice_calibration().segments), "test")


def test_too_short_recordings_cannot_calibrate() -> None:
    with pytest.raises(DataError, match="as long as a segment"):
        calibrate([np.ones(3000, np.int16)] * 40, FEATURES, SEGMENTS, source="test")


def test_speech_is_drawn_evenly_and_joined_to_the_length(data: Path) -> None:
    drawn = sample_speech(read_index(data), count=8, min_samples=40_000, seed=1)
    assert len(drawn) == 8 and min(map(len, drawn)) >= 40_000
    again = sample_speech(read_index(data), count=8, min_samples=40_000, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))


@pytest.mark.parametrize("text", ["", "path,speaker\n", "path,speaker,corpus,split\na.flac,s,c,test\n"])
def test_a_useless_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match=r"index\.csv"):
        read_index(tmp_path / "index.csv")


# --- the build -------------------------------------------------------------------------------------------------------


def test_builds_and_then_skips_what_is_unchanged(net: Path, tmp_path: Path) -> None:
    first = build(net, out=tmp_path / "package", work=tmp_path / "work")
    assert [s.status for s in first.stages] == ["unchanged", "unchanged", "done", "done"]
    assert first.check["bit_exact"] and first.check["cosine_min"] > 0.99
    before = {p: p.read_bytes() for p in (tmp_path / "package").rglob("*") if p.is_file()}
    second = build(net, out=tmp_path / "package", work=tmp_path / "work")
    assert [s.status for s in second.stages] == ["unchanged"] * 4
    elsewhere = build(net, out=tmp_path / "other", work=tmp_path / "fresh")
    assert {p.relative_to(tmp_path / "package"): b for p, b in before.items()} == {
        p.relative_to(tmp_path / "other"): p.read_bytes() for p in (tmp_path / "other").rglob("*") if p.is_file()
    }
    assert elsewhere.to_dict()["model_bytes"] == first.model_bytes


def test_a_damaged_cache_is_made_again(net: Path, tmp_path: Path) -> None:
    build(net, out=tmp_path / "package", work=tmp_path / "work")
    for path in (tmp_path / "work").rglob("*.json"):
        path.write_text(path.read_text()[:100])
    again = build(net, out=tmp_path / "package", work=tmp_path / "work")
    assert [s.status for s in again.stages] == ["unchanged", "unchanged", "done", "done"]


def test_builds_with_data_from_a_float_net_alone(data: Path, tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net", seed=4)
    with pytest.raises(DataError, match=r"--data INDEX\.csv"):
        build(net, out=tmp_path / "package", work=tmp_path / "work")
    done = build(net, out=tmp_path / "package", work=tmp_path / "work", data=data)
    assert [s.status for s in done.stages] == ["unchanged", "done", "done", "done"]
    assert done.check["trials"] == 36 and done.check["eer_int8"] is not None
    artifact = read_package(tmp_path / "package").artifact
    assert artifact.scoring is not None and artifact.scoring.false_accept_rate == 0.01
    assert artifact.cohort is not None and len(artifact.cohort) == 4
    again = build(net, out=tmp_path / "package", work=tmp_path / "work", data=data)
    assert [s.status for s in again.stages] == ["unchanged"] * 4


def test_convert_writes_what_build_takes(data: Path, tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net", seed=4)
    artifact, report = convert_net(net, index=data, out=net / "static_wi8_ai8", scoring="as_norm")
    assert artifact.scoring is not None and artifact.scoring.kind == "as_norm"
    assert artifact.provenance["check"]["cosine_min"] == report.cosine_min
    assert set(artifact.provenance["development"]) == {"trials", "targets", "eer_cosine", "eer_as_norm"}
    built = build(net, out=tmp_path / "package", work=tmp_path / "work")
    assert built.package.artifact.sha256 == artifact.sha256


def test_a_stale_conversion_is_refused(net: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    make_float_net(copy, seed=9)
    with pytest.raises(DataError, match="not of this float net") as caught:
        build(copy, out=tmp_path / "package", work=tmp_path / "work")
    assert "float_sha256" in caught.value.details


def test_a_broken_conversion_leaves_no_package(net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    save_artifact(copy / "static_wi8_ai8", break_layer(artifact, "embedding"))
    with pytest.raises(AccuracyGateFailed, match="'embedding'"):
        build(copy, out=tmp_path / "package", work=tmp_path / "work")
    assert not (tmp_path / "package").exists()
    assert not [p for p in (tmp_path / "work").rglob("*") if p.is_file()]


def test_an_artifact_alone_must_have_been_checked(net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    save_artifact(tmp_path / "alone", artifact)
    with pytest.raises(DataError, match="never checked"):
        build(tmp_path / "alone", out=tmp_path / "package", work=tmp_path / "work")
    stated = {"cosine_min": 0.997, "bit_exact": True, "source": "elsewhere"}
    provenance = {**artifact.provenance, "check": stated}
    save_artifact(tmp_path / "alone", dataclasses.replace(artifact, provenance=provenance))
    assert build(tmp_path / "alone", out=tmp_path / "package", work=tmp_path / "work").check == stated


def test_a_recipe_that_trains_needs_data_or_a_compressed_net(net: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was never compressed") as caught:
        build(net, recipe="palette_w2_ai8", work=tmp_path)
    assert "--data" in str(caught.value)


def test_a_compressed_net_that_came_with_the_model(net: Path, tmp_path: Path) -> None:
    from edge_sv.compress.straight_through import straight_through_method
    from edge_sv.models.checkpoint import load_net, save_net
    from edge_sv.recipes.recipe import load_recipe

    copied, recipe = shutil.copytree(net, tmp_path / "net"), load_recipe("static_wi4_ai8")
    model, description = load_net(copied)
    palettes = straight_through_method(model, recipe).apply(model)
    origin = {"compressed_from": net_sha256(copied)}
    compressed = copied / "compressed" / recipe.name
    save_net(compressed, dataclasses.replace(description, provenance=origin), model, palettes)
    converted = find_converter("tflite").convert(compressed, recipe, voice_calibration())
    save_artifact(copied / recipe.name, converted)

    built = build(copied, recipe=recipe.name, out=tmp_path / "package", work=tmp_path / "work")
    assert [stage.status for stage in built.stages] == ["unchanged", "unchanged", "done", "done"]
    assert built.package.artifact.sha256 == converted.sha256
    assert built.check["bit_exact"] and built.check["cosine_min"] > 0.99
    assert built.to_dict()["cosine_to_float"] == built.check["uncompressed"]["cosine_min"] < built.check["cosine_min"]

    save_net(compressed, dataclasses.replace(description, provenance={"compressed_from": "0"}), model, palettes)
    with pytest.raises(DataError, match="compressed from another net"):
        build(copied, recipe=recipe.name, out=tmp_path / "package", work=tmp_path / "work")


def test_impossible_requests_are_refused(net: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'static_wi8_ai8'"):
        build(net, recipe="static_w8_ai8", work=tmp_path)
    with pytest.raises(UsageError, match="did you mean 'tflite-micro'"):
        build(net, target="tflite-mikro", work=tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is not a package"):
        build(net, out=tmp_path / "mine", work=tmp_path / "work")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "work").exists()


def test_what_does_not_fit_says_so(net: Path, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match="bytes of RAM too many"):
        build(net, out=tmp_path / "package", work=tmp_path / "work", limits=Limits(ram=1000))
    assert not (tmp_path / "package").exists()


def test_plan_tells_what_would_happen(net: Path, tmp_path: Path) -> None:
    first = plan(net, out=tmp_path / "package", work=tmp_path / "work", limits=Limits(flash=10))
    assert [s.status for s in first.stages] == ["unchanged", "unchanged", "needed", "needed"]
    assert first.problem is not None and first.measured
    assert not (tmp_path / "work").exists() and not (tmp_path / "package").exists()
    built = build(net, out=tmp_path / "package", work=tmp_path / "work")
    then = plan(net, out=tmp_path / "package", work=tmp_path / "work")
    assert [s.status for s in then.stages] == ["unchanged"] * 4
    assert then.footprint.model_bytes == built.model_bytes and then.footprint.arena_bytes == built.arena_bytes


def test_estimate_from_float_weights_is_near(data: Path, net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    estimated = plan(net, work=tmp_path / "work", data=data)
    assert not estimated.measured
    assert estimated.footprint.model_bytes == pytest.approx(len(artifact.model), rel=0.25)


def test_a_failing_stage_leaves_no_result(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)

    def stop(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.run("s", 1, make=stop, read=lambda folder: folder)
    assert cache.find("s", 1, read=lambda folder: folder) is None
    assert not list((tmp_path / "s").iterdir())


@pytest.mark.parametrize("after", [1.0, 4.0])
def test_interrupted_builds_go_on(net: Path, tmp_path: Path, after: float) -> None:
    command = [
        sys.executable,
        "-m",
        "edge_sv",
        "build",
        net,
        "--out",
        tmp_path / "package",
        "--work",
        tmp_path / "work",
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    if running.returncode != 0:
        assert running.returncode in (130, -signal.SIGINT), told
    if (tmp_path / "package").exists():  # the interrupt came after the last stage
        read_package(tmp_path / "package")
    assert not list(tmp_path.rglob(".*")), "nothing half-made stays"
    done = build(net, out=tmp_path / "package", work=tmp_path / "work")
    assert json.loads((tmp_path / "package" / "manifest.json").read_text())["check"] == done.check


def test_bundled_voices_are_enough_to_check_with() -> None:
    assert len(check_set(None).files) == len(list((assets_dir() / "voices").glob("*.flac"))) > 4
