"""A model opened from Python carries its embedder and how it scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, TflmEmbedder, open_artifact
from edge_sv.embedders.model import DEFAULT_MODEL, load
from edge_sv.errors import DataError, UsageError
from tests.nets import make_float_net, voices


def test_it_is_an_embedder_with_a_scoring() -> None:
    model, artifact = load(), open_artifact(DEFAULT_MODEL)
    assert isinstance(model.embedder, LiteRTEmbedder)
    assert (model.name, model.model_sha256, model.scoring) == (DEFAULT_MODEL, artifact.sha256, artifact.scoring)
    assert (model.features, model.segments) == (artifact.features, artifact.segments)
    assert model.sources_sha256 == model.embedder.sources_sha256
    assert model.embed(voices()[0]).shape == (model.embedding_dim,) == (artifact.embedding_dim,)


def test_runtimes(net: Path) -> None:
    assert isinstance(load(net, runtime="tflm").embedder, TflmEmbedder)
    in_keras = load(net, runtime="keras")
    assert isinstance(in_keras.embedder, KerasEmbedder)
    assert in_keras.scoring == load(net).scoring, "a float net scores as its converted form"
    assert float(in_keras.embed(voices()[0]) @ load(net).embed(voices()[0])) > 0.99


def test_a_net_that_was_never_converted_has_no_scoring(tmp_path: Path) -> None:
    folder = make_float_net(tmp_path / "net")
    model = load(folder, runtime="keras")
    assert model.scoring is None and model.cohort is None and model.name == "net"
    with pytest.raises(DataError, match="holds a float net only"):
        load(folder)


def test_audio_that_says_its_own_rate_takes_none() -> None:
    with pytest.raises(UsageError, match="says its own sample rate"):
        load().embed(voices()[0], sample_rate=16000)
    assert np.linalg.norm(load().embed(np.random.default_rng(1).normal(0, 0.1, 16000).clip(-1, 1))) == pytest.approx(1)
