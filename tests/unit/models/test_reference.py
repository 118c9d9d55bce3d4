"""The reference net: the author's known answer bit for bit, the same net in float, and the published error rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.evaluation.evaluate import evaluate
from edge_sv.models.reference import (
    INPUT_CLIP,
    UNIT,
    ReferenceEmbedder,
    build_reference,
    load_reference_weights,
    run_integer,
)
from edge_sv.scoring.trials import find_recordings, read_trials

PUBLISHED = {"libri": 0.042, "sc12": 0.035, "so762": 0.106, "dsp20": 0.039}
"""EERs of the int8 net that its README in the speech corpora gives, by test list."""
TOLERANCE = 0.005
"""Float is not int8, and the published front end is known in words only."""


@pytest.fixture(scope="module")
def weights_path(speech_data: Path) -> Path:
    return speech_data / "sv_int8_weights" / "weights.npz"


@pytest.fixture(scope="module")
def embedder(weights_path: Path) -> ReferenceEmbedder:
    return ReferenceEmbedder(weights_path)


def test_known_answer(speech_data: Path, weights_path: Path) -> None:
    """The chip's test has the pool before the stem."""
    answer = np.load(speech_data / "sv_int8_weights" / "kat.npz")
    weights = load_reference_weights(weights_path)
    np.testing.assert_array_equal(run_integer(weights, answer["input"], pool_first=True), answer["output_pool_first"])
    assert (run_integer(weights, answer["input"]) != answer["output_pool_first"]).any()


def test_float_computes_what_the_integers_do(
    speech_data: Path, weights_path: Path, embedder: ReferenceEmbedder
) -> None:
    weights, model = load_reference_weights(weights_path), build_reference(weights_path)
    assert model.count_params() == sum(weights[name].size for name in weights if name.endswith((".w", ".b")))
    cosines = []
    for path in sorted(speech_data.glob("libri/*/*.flac"))[:40:10]:
        image = embedder.images(read_recording(path))[0]
        integer = run_integer(weights, np.int8(np.rint(image.T * 127 / INPUT_CLIP))) * UNIT
        exact = model(image[np.newaxis, :, :, np.newaxis]).numpy()[0]
        cosines.append(integer @ exact / np.linalg.norm(integer) / np.linalg.norm(exact))
        assert np.linalg.norm(exact) == pytest.approx(np.linalg.norm(integer), rel=0.15)
    assert min(cosines) > 0.97


def test_images_are_what_the_author_describes(embedder: ReferenceEmbedder) -> None:
    rng = np.random.default_rng(0)
    pcm = (3000 * rng.normal(size=60000)).astype(np.int16)
    images = embedder.images(pcm)
    assert images.shape == (6, 128, 80) and images.dtype == np.float32  # at 0, 8000, ..., 32000 and 39280
    assert np.abs(images).max() <= INPUT_CLIP
    np.testing.assert_array_equal(images[-1], embedder.images(pcm[-20720:])[0])
    assert embedder.images(pcm[:5000]).shape == (1, 128, 80)
    assert embedder.images(pcm[:20720]).shape == (1, 128, 80)


def test_embeddings_have_length_one(embedder: ReferenceEmbedder) -> None:
    pcm = (3000 * np.random.default_rng(0).normal(size=30000)).astype(np.int16)
    vector = embedder.embed(pcm)
    assert vector.shape == (64,) and np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.parametrize(
    "corpus",
    ["libri", "sc12", pytest.param("so762", marks=pytest.mark.slow), pytest.param("dsp20", marks=pytest.mark.slow)],
)
def test_published_error_rates(speech_data: Path, embedder: ReferenceEmbedder, corpus: str) -> None:
    folder = speech_data / corpus
    trials = read_trials(folder / "trials_test.txt")
    table = folder / "utterances.csv"
    recordings = find_recordings(trials, folder, utterances=table if table.is_file() else None)
    assert evaluate(embedder, trials, recordings).eer == pytest.approx(PUBLISHED[corpus], abs=TOLERANCE)


def test_what_is_not_the_reference_net(tmp_path: Path, weights_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.npz"):
        ReferenceEmbedder(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("weights")
    with pytest.raises(DataError, match=r"text\.npz is damaged"):
        ReferenceEmbedder(tmp_path / "text.npz")
    weights = load_reference_weights(weights_path)
    np.savez(tmp_path / "part.npz", **{name: weights[name] for name in weights if name != "fc.b"})
    with pytest.raises(DataError, match="is not the reference net") as caught:
        ReferenceEmbedder(tmp_path / "part.npz")
    assert caught.value.details["missing"] == "fc.b"
    np.savez(tmp_path / "other.npz", **{**weights, "fc.w": weights["fc.w"][:32]})
    with pytest.raises(DataError, match=r"other\.npz is not the reference net"):
        ReferenceEmbedder(tmp_path / "other.npz")
