"""The check finds what is broken, names the layer, and passes what is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import AccuracyGateFailed, DataError
from edge_sv.pipeline.check_conversion import allowed_eer, check_artifact, check_bit_exact
from edge_sv.scoring.speech_sample import SpeechSample, bundled_voices
from edge_sv.scoring.trials import Trial, TrialList
from edge_sv.tflite.flatbuffer import pack_model, parse_model
from tests.broken_layers import break_layer
from tests.nets import FEATURES, SEGMENTS, voice_calibration, voices

BREAKABLE = ("stem_conv", "stage1_block1_conv2", "stage2_block1_conv1", "embedding")


def test_a_good_conversion_passes(net: Path, artifact: ModelArtifact, float_model: bytes) -> None:
    report = check_artifact(artifact, net, bundled_voices(), float_model=lambda: float_model)
    assert report.bit_exact and report.exact_segments >= len(voices())
    assert 0.99 <= report.cosine_min <= report.cosine_mean <= 1.000001
    assert report.eer_float is None and "embeddings" not in report.to_dict()


@pytest.mark.parametrize("layer", BREAKABLE)
def test_a_broken_layer_fails_the_build_and_is_named(
    net: Path, artifact: ModelArtifact, float_model: bytes, layer: str
) -> None:
    with pytest.raises(AccuracyGateFailed, match=rf"layer +'{layer}' \(CONV_2D\) loses most") as caught:
        check_artifact(break_layer(artifact, layer), net, bundled_voices(), float_model=lambda: float_model)
    assert caught.value.exit_code == 5


def test_a_sum_differs_between_the_runtimes_and_is_named(tmp_path: Path, net: Path, artifact: ModelArtifact) -> None:
    """LiteRT's reference kernel of int8 SUM is wrong; exactly what the bit-exactness gate is there to find."""
    with pytest.raises(AccuracyGateFailed, match=r"'total' \(SUM\) differs first"):
        check_artifact(_with_sum(artifact), net, bundled_voices(), float_model=lambda: b"")


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


def test_eer_gate_allows_two_percent_or_one_trial() -> None:
    assert allowed_eer(0.10, targets=10_000) == pytest.approx(0.102)
    assert allowed_eer(0.001, targets=500) == pytest.approx(0.003)


def test_eer_gate_fails_a_net_that_confuses_voices(net: Path, artifact: ModelArtifact, float_model: bytes) -> None:
    """Trials that the float net separates and a net with one layer's weights turned round does not.

    Labels are set by the float net's own scores, so its EER is 0 whatever the net is; the broken net's is not.
    """
    from edge_sv.embedders.keras import KerasEmbedder
    from edge_sv.evaluation.evaluate import embed_recordings, score_list

    data, worse = bundled_voices(), break_layer(artifact, "stage2_block1_conv1")
    names = list(data.files)
    pairs = TrialList(tuple(Trial(False, a, b) for i, a in enumerate(names) for b in names[i + 1 :]))
    scores = score_list(pairs, embed_recordings(KerasEmbedder(net), data.files))
    wanted = scores > np.median(scores)
    trials = TrialList(tuple(Trial(bool(same), t.enroll, t.test) for same, t in zip(wanted, pairs, strict=True)))
    listed = dataclasses.replace(data, trials=trials)
    report = check_artifact(artifact, net, listed, float_model=lambda: float_model)
    assert report.eer_float == 0 and report.eer_int8 is not None
    assert report.eer_int8 <= allowed_eer(0, report.targets)
    with pytest.raises(AccuracyGateFailed, match="loses most") as caught:
        check_artifact(worse, net, listed, float_model=lambda: float_model)
    assert caught.value.exit_code == 5


def test_eer_gate_by_itself(monkeypatch: pytest.MonkeyPatch, net: Path, artifact: ModelArtifact) -> None:
    """A net that passes the cosine gate and confuses voices all the same; labels contradict what int8 changed."""
    from edge_sv.pipeline import check_conversion

    data = bundled_voices()
    report = check_artifact(artifact, net, data, float_model=lambda: b"")
    worse = dataclasses.replace(report, trials=100, targets=10, eer_float=0.05, eer_int8=0.16)
    with pytest.raises(AccuracyGateFailed, match="verifies worse than float: EER 16"):
        check_conversion._apply_gates(worse, "x", lambda: {"layer": "y"})
    check_conversion._apply_gates(dataclasses.replace(worse, eer_int8=0.15), "x", dict)


def test_nothing_to_check_with_is_refused(net: Path, artifact: ModelArtifact) -> None:
    nothing = SpeechSample({}, None, "an empty folder")
    with pytest.raises(DataError, match="an empty folder has no recordings"):
        check_artifact(artifact, net, nothing, float_model=lambda: b"")
    assert check_bit_exact(artifact, nothing) == 0
