"""A net that starts from another computes what that one does, as far as its shape allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from edge_sv.errors import UsageError
from edge_sv.frontend.segments import normalize_length
from edge_sv.models.ecapa_tdnn import EcapaConfig, build_ecapa_tdnn
from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.training.bank import open_bank
from edge_sv.training.batches import BatchMaker
from edge_sv.training.config import LossSection, OptimizerSection, TrainConfig
from edge_sv.training.corpus import NoiseFiles, read_corpus
from edge_sv.training.initialize import center_embedding, inherit, start_from
from edge_sv.training.trainer import Trainer

FRAMES, MELS = 40, 16


def build(seed: int = 1, frames: int = FRAMES, **changes: Any) -> tf_keras.Model:
    settings = {
        "stem_channels": 4,
        "stage_channels": (4, 6),
        "stage_blocks": (1, 1),
        "downsample": ("max_pool", "none"),
        "batch_norm": False,
        "pooling": "mean_time_freq",
        "embedding_dim": 5,
    }
    model = build_resnet(ResNetConfig(**{**settings, **changes}), frames=frames, num_mels=MELS)
    rng = np.random.default_rng(seed)
    model.set_weights([(0.4 * rng.normal(size=w.shape)).astype(np.float32) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(20, FRAMES, MELS, 1)).astype(np.float32)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_an_equal_net_is_copied(features: np.ndarray, batch_norm: bool) -> None:
    source, target = build(1, batch_norm=batch_norm), build(2, batch_norm=batch_norm)
    filled = inherit(target, source, features)
    assert set(filled.values()) == {"copied"}
    assert set(filled) == {layer.name for layer in target.layers if layer.weights}
    np.testing.assert_array_equal(target(features), source(features))


def test_narrower_blocks_and_a_strided_stem_are_fitted(features: np.ndarray) -> None:
    source = build(1)
    target = build(2, stem_kernel=5, stem_stride=(2, 2), downsample=("none", "none"), stage_inner=(3, 4))
    filled = inherit(target, source, features)
    assert filled["stem_conv"] == "fitted"
    assert {name for name, how in filled.items() if how == "narrowed"} == {
        f"stage{s}_block1_conv{c}" for s in (1, 2) for c in (1, 2)
    }
    assert filled["embedding"] == filled["stage2_block1_shortcut"] == "copied"
    wanted, untrained = source(features).numpy(), build(2)(features).numpy()
    ours = target(features).numpy()
    assert np.square(ours - wanted).mean() < 0.3 * np.square(untrained - wanted).mean()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stage_channels": (4, 7)}, "layer 'stage2_block1_conv1' has another shape"),
        ({"stage_inner": (5, 6)}, "layer 'stage1_block1_conv1' has another shape"),
        ({"embedding_dim": 9}, "layer 'embedding' has another shape"),
        ({"downsample": ("max_pool", "stride")}, "layer 'stage2_block1_conv1' has another shape"),
        ({"stem_kernel": 5}, "layer 'stem_conv' has another shape"),
        ({"stage_blocks": (2, 1)}, "it has no layer 'stage1_block2_conv1'"),
        ({"batch_norm": True}, "layer 'stem_conv' has another shape"),
        ({"frames": 50}, "it has another input"),
    ],
)
def test_nets_that_do_not_fit_are_refused(features: np.ndarray, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match="cannot start from this net") as caught:
        inherit(build(2, **changes), build(1), features)
    assert words in str(caught.value)


def test_another_family_is_refused(features: np.ndarray) -> None:
    config = EcapaConfig(channels=8, res2net_scale=2, squeeze_channels=4, aggregation_channels=8, attention_channels=4)
    with pytest.raises(UsageError, match="layer 'stem_conv' has another shape"):
        inherit(build_ecapa_tdnn(config, frames=FRAMES, num_mels=MELS), build(1), features)


def test_centred_embeddings_have_mean_zero(features: np.ndarray) -> None:
    model = build(1)
    before = model(features).numpy()
    assert np.abs(before.mean(axis=0)).max() > 0.01
    center_embedding(model, features)
    np.testing.assert_allclose(model(features), before - before.mean(axis=0), atol=1e-5)


def test_class_vectors_and_projection_start_where_crops_are(corpus: Path, config: TrainConfig, tmp_path: Path) -> None:
    utterances = read_corpus(corpus)
    augment = config.augment.model_copy(update={"copies": 0, "speeds": (1.0,)})
    bank = open_bank(
        utterances, config.front_end, augment, noise=NoiseFiles(), seed=1, cache=tmp_path, jobs=1,
        progress=lambda *told: None,
    )  # fmt: skip
    targets = np.random.default_rng(0).normal(size=(len(utterances), 1, 3)).astype(np.float32)
    maker = BatchMaker(
        bank, config.front_end, frames=FRAMES, augment=augment, corpus_weights={}, targets=targets, seed=1
    )
    loss = LossSection(teachers=("x",), teacher_weight=1.0)
    trainer = Trainer(build(9), num_classes=4, target_dim=3, loss=loss, optimizer=OptimizerSection())
    start_from(build(1), trainer, maker)
    centred = build(1)
    crops = np.concatenate([maker.make((1 << 30) + i, 64, augmented=False).crops for i in range(8)])
    center_embedding(centred, crops)
    for ours, theirs in zip(trainer.model.get_weights(), centred.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for average, weight in zip(trainer.averaged_weights(), trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(average, weight)
    batch = maker.make(1 << 30, 64, augmented=False)
    embeddings = centred(batch.crops).numpy()
    for label in range(4):
        mean = normalize_length(embeddings[batch.labels == label]).mean(axis=0)
        np.testing.assert_allclose(trainer.classes[label], mean, atol=1e-5)
    assert trainer._projection is not None
    best = np.linalg.lstsq(embeddings, batch.targets, rcond=None)[0]
    np.testing.assert_allclose(trainer._projection.numpy(), best, atol=1e-3)
