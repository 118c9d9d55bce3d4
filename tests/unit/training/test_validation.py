"""Dev EERs are those that scoring every trial by itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_keras

from edge_sv.audio.noisy_copy import NoisyCopy
from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule, embed_features
from edge_sv.scoring.metrics import eer
from edge_sv.scoring.trials import read_trials
from edge_sv.training.validation import Validation, read_dev_lists
from tests.corpora import make_corpus, write_wav

FEATURES = FeatureConfig(num_mels=8, normalization="none")
RULE = SegmentRule(frames=20, hop_frames=15)


@pytest.fixture(scope="module")
def net() -> tf_keras.Model:
    inputs = tf_keras.Input((20, 8, 1))
    kernel = tf_keras.initializers.RandomNormal(seed=1)
    outputs = tf_keras.layers.Dense(5, kernel_initializer=kernel)(tf_keras.layers.Flatten()(inputs))
    return tf_keras.Model(inputs, outputs)


def test_eer_is_that_of_every_trial_scored_by_itself(corpus: Path, net: tf_keras.Model) -> None:
    path = corpus / "trials_dev.txt"
    found = Validation(read_dev_lists([path]), FEATURES, RULE).eers(net)

    def embed(name: str) -> np.ndarray:
        features = compute_features(read_recording(corpus / name), FEATURES)
        return embed_features(features, RULE, lambda segments: net(segments[..., None]).numpy())

    trials = read_trials(path)
    scores = np.array([embed(trial.enroll) @ embed(trial.test) for trial in trials])
    assert found == {corpus.name: pytest.approx(eer(scores, trials.labels))}
    assert 0 <= found[corpus.name] < 0.5


def test_utterances_of_several_files(tmp_path: Path, net: tf_keras.Model) -> None:
    corpus = make_corpus(tmp_path / "joined")
    (corpus / "utterances.csv").write_text("utt_id,files\nu,s4/r0.wav|s4/r1.wav\nv,s4/r2.wav\nw,s5/r0.wav\n")
    (corpus / "short.txt").write_text("1 u v\n0 u w\n")
    (dev,) = read_dev_lists([corpus / "short.txt"])
    assert [len(dev.recordings.files[name]) for name in "uvw"] == [2, 1, 1]
    assert set(Validation([dev], FEATURES, RULE).eers(net)) == {"joined"}


def test_a_list_in_noise_is_one_more_list(corpus: Path, net: tf_keras.Model) -> None:
    noise = NoisyCopy((corpus / "noise" / "hiss.wav",), (), snr_db=(0.0, 5.0), reverb_share=0.0)
    lists = read_dev_lists([corpus / "trials_dev.txt"])
    plain = Validation(lists, FEATURES, RULE).eers(net)
    found = Validation(lists, FEATURES, RULE, noise=noise).eers(net)
    assert list(found) == [corpus.name, f"{corpus.name}_noisy"]
    assert found[corpus.name] == plain[corpus.name]

    def embed(name: str) -> np.ndarray:
        pcm = noise.apply(name, read_recording(corpus / name), sample_rate=16000)
        return embed_features(compute_features(pcm, FEATURES), RULE, lambda x: net(x[..., None]).numpy())

    trials = read_trials(corpus / "trials_dev.txt")
    scores = np.array([embed(trial.enroll) @ embed(trial.test) for trial in trials])
    assert found[f"{corpus.name}_noisy"] == pytest.approx(eer(scores, trials.labels))


def test_two_lists_of_one_folder_keep_their_names(corpus: Path, tmp_path: Path, net: tf_keras.Model) -> None:
    other = make_corpus(tmp_path / "other", seed=1)
    (other / "trials_few.txt").write_text("1 s4/r0.wav s4/r1.wav\n0 s4/r0.wav s5/r1.wav\n")
    paths = [corpus / "trials_dev.txt", other / "trials_dev.txt", other / "trials_few.txt"]
    found = Validation(read_dev_lists(paths), FEATURES, RULE).eers(net)
    assert list(found) == [corpus.name, "other_trials_dev", "other_trials_few"]


def test_no_lists_no_errors(net: tf_keras.Model) -> None:
    assert Validation(read_dev_lists([]), FEATURES, RULE).eers(net) == {}


def test_missing_recordings_and_lists_are_named(tmp_path: Path) -> None:
    (tmp_path / "trials.txt").write_text("1 a.wav b.wav\n0 a.wav c.wav\n")
    with pytest.raises(DataError, match="3 files of the trial list are missing"):
        read_dev_lists([tmp_path / "trials.txt"])
    with pytest.raises(DataError, match=r"none\.txt"):
        read_dev_lists([tmp_path / "none.txt"])


def test_a_recording_without_a_frame_is_named(tmp_path: Path) -> None:
    for name, length in (("a.wav", 9000), ("b.wav", 8000), ("tiny.wav", 100)):
        write_wav(tmp_path / name, np.full(length, 0.1))
    (tmp_path / "trials.txt").write_text("1 a.wav b.wav\n0 a.wav tiny.wav\n")
    with pytest.raises(DataError, match=r"tiny\.wav: the recording is shorter"):
        Validation(read_dev_lists([tmp_path / "trials.txt"]), FEATURES, RULE)
