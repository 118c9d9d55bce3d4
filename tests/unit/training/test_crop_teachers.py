"""Teachers on crops: what they give, how maps are aligned, who may teach, and that a student follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net, net_config, save_net
from edge_sv.models.families import FAMILIES
from edge_sv.training.batches import Batch
from edge_sv.training.config import LossSection, OptimizerSection
from edge_sv.training.crop_teachers import (
    CropTeachers,
    average_frames,
    common_front_end,
    frame_map,
    load_crop_teachers,
    with_frames,
)
from edge_sv.training.trainer import Trainer

FRAMES, MELS = 24, 8
FEATURES = FeatureConfig(num_mels=MELS, mean_start=(1.0,) * MELS)
RESNET = {"stem_channels": 4, "stage_channels": [4], "stage_blocks": [1], "downsample": ["stride"], "embedding_dim": 6}
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("resnet", {**RESNET, "pooling": "mean_time_freq"}),
    "statistics": ("resnet", {**RESNET, "pooling": "statistics"}),
    "xvector": ("xvector", {"channels": 6, "pooled_channels": 10, "pooling": "deviation", "embedding_dim": 5}),
    "wide": ("xvector", {"channels": 9, "pooled_channels": 14, "pooling": "statistics", "embedding_dim": 7}),
    "ecapa_tdnn": ("ecapa_tdnn", {"channels": 8, "res2net_scale": 2, "squeeze_channels": 4, "aggregation_channels": 12,
                                  "attention_channels": 4, "embedding_dim": 6}),
    "df_resnet": ("df_resnet", {"stage_channels": [4, 6], "stage_blocks": [1, 1], "expansion": 2, "pooling": "mean",
                                "embedding_dim": 5}),
    "redimnet": ("redimnet", {"channels": 2, "stage_strides": [1, 2], "stage_blocks": [1, 1], "stage_expansion": [1, 1],
                              "context_channels": [0, 4], "context_kernels": [3], "attention_channels": 4,
                              "embedding_dim": 5}),
}  # fmt: skip
MAPS = {
    "resnet": (12, 4 * 4), "statistics": (12, 4 * 4), "xvector": (24, 10), "wide": (24, 14), "ecapa_tdnn": (24, 12),
    "df_resnet": (12, 4 * 6), "redimnet": (24, 16),
}  # fmt: skip


def describe(name: str, features: FeatureConfig = FEATURES) -> NetDescription:
    family, config = NETS[name]
    return NetDescription(name, family, net_config(family, config), features, SegmentRule(FRAMES, FRAMES))


def build(name: str, seed: int = 1) -> tf_keras.Model:
    """Build a net with random weights and batch statistics."""
    model = build_net(describe(name))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = [rng.normal(0, np.prod(w.shape[:-1]) ** -0.5, w.shape) for w in layer.get_weights()]
        if layer.name.endswith("_bn"):
            values = [rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
        layer.set_weights(values)
    return model


def crops(step: int = 0, count: int = 16) -> np.ndarray:
    return np.random.default_rng(step).normal(size=(count, FRAMES, MELS, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("nets")
    for seed, name in enumerate(NETS):
        save_net(folder / name, describe(name), build(name, seed))
    return {name: folder / name for name in NETS}


def test_every_family_is_here() -> None:
    assert {family for family, _ in NETS.values()} == set(FAMILIES)


@pytest.mark.parametrize("name", NETS)
def test_a_nets_frame_level_is_what_its_pooling_takes(name: str) -> None:
    model = build(name)
    embeddings, maps = with_frames(model)(crops())
    assert maps.shape == (16, *MAPS[name])
    np.testing.assert_array_equal(embeddings, model(crops()))
    above = tf_keras.Model(frame_map(model), model.output)
    np.testing.assert_allclose(above(tf.reshape(maps, (16, *frame_map(model).shape[1:]))), embeddings, atol=1e-5)


def test_layers_that_were_wrapped_for_quantization_are_found() -> None:
    inputs = tf_keras.Input((4, 2, 3))
    pooled = tf_keras.layers.GlobalAveragePooling2D(name="quant_pool_mean")(tf_keras.layers.ReLU()(inputs))
    assert frame_map(tf_keras.Model(inputs, pooled)).shape == (None, 4, 2, 3)
    with pytest.raises(UsageError, match="has no frame-level map"):
        frame_map(tf_keras.Model(inputs, tf_keras.layers.ReLU()(inputs)))


@pytest.mark.parametrize(("time", "frames"), [(6, 6), (6, 3), (6, 1), (5, 2), (7, 3)])
def test_averaging_keeps_each_moments_weight(time: int, frames: int) -> None:
    maps = np.random.default_rng(0).normal(size=(2, time, 3)).astype(np.float32)
    fine = np.repeat(maps, frames, axis=1).reshape(2, frames, time, 3).mean(axis=2)
    np.testing.assert_allclose(average_frames(tf.constant(maps), frames), fine, atol=1e-6)


def test_embeddings_of_several_teachers_lie_side_by_side(folders: dict[str, Path]) -> None:
    teachers = load_crop_teachers([folders["resnet"], folders["wide"]], frames=FRAMES)
    assert (teachers.embedding_dim, teachers.map_shapes) == (13, [(12, 16), (24, 14)])
    joined, maps = teachers.embed(crops())
    plain = [build("resnet", 0)(crops()).numpy(), build("wide", 3)(crops()).numpy()]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in plain]
    np.testing.assert_allclose(joined, np.concatenate(units, axis=1), atol=1e-5)
    assert [tuple(each.shape) for each in maps] == [(16, 12, 16), (16, 24, 14)]
    centred = teachers.centred(crops(9, 64))
    means = [net(crops(9, 64)).numpy().mean(axis=0) for net in (build("resnet", 0), build("wide", 3))]
    for centre, mean in zip(centred.centres, means, strict=True):
        np.testing.assert_allclose(centre, mean, atol=1e-5)
    apart = [one - mean for one, mean in zip(plain, means, strict=True)]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in apart]
    np.testing.assert_allclose(centred.embed(crops())[0], np.concatenate(units, axis=1), atol=1e-4)


def make(student: str, teachers: CropTeachers, **loss: Any) -> Trainer:
    section = LossSection(**{"aam_weight": 0.0, "teachers": ("x",), **loss})
    optimizer = OptimizerSection(learning_rate=0.01, epochs=1, steps_per_epoch=200, warmup_steps=0, ema_decay=0.9)
    trainer = Trainer(build(student, 5), num_classes=3, target_dim=0, loss=section, optimizer=optimizer,
                      teachers=teachers)  # fmt: skip
    trainer.start_averages()
    return trainer


def batch(step: int) -> Batch:
    return Batch(crops(step), np.zeros(16, np.int64), np.zeros((16, 0), np.float32))


@pytest.mark.parametrize("level", ["crop", "frame"])
def test_a_student_follows_two_teachers(folders: dict[str, Path], level: str) -> None:
    """Fewer channels, other time resolutions: on the same crops the distance falls by a third in 60 steps."""
    teachers = load_crop_teachers([folders["resnet"], folders["wide"]], frames=FRAMES)
    trainer = make("xvector", teachers, **{f"{level}_weight": 3.0})
    shapes = {"crop": [(5, 13)], "frame": [(10, 30), (30,)]}[level]
    heads = [tuple(v.shape) for v in trainer._trained[len(trainer.model.trainable_variables) :]]
    assert heads == shapes
    weights = trainer.model.trainable_variables
    before = [weight.numpy() for weight in weights]
    values = [trainer.train(batch(step % 4)) for step in range(60)]
    assert set(values[0]) == {level, "loss", "gradient_norm"}
    assert values[0]["loss"] == pytest.approx(3 * values[0][level], rel=1e-5)
    assert np.mean([v[level] for v in values[-4:]]) < 0.67 * np.mean([v[level] for v in values[:4]])
    assert any(np.abs(old - new.numpy()).max() > 0.01 for old, new in zip(before, weights, strict=True))


def test_a_net_that_is_its_own_teacher_needs_no_projection(folders: dict[str, Path]) -> None:
    teachers = load_crop_teachers([folders["ecapa_tdnn"]], frames=FRAMES)
    trainer = make("ecapa_tdnn", teachers, crop_weight=1.0, frame_weight=1.0, teacher_projection=False)
    assert not trainer.has_projection
    assert len(trainer._trained) == len(trainer.model.trainable_variables)
    weights = teachers.nets[0].get_weights()
    trainer.model.set_weights(weights)
    for layer in trainer.model.layers:
        layer.trainable = False  # batch norm then computes as it does at work
    losses = trainer._losses(tf.constant(crops()), None, tf.zeros((16, 0)), None, teachers.embed(tf.constant(crops())))
    assert {name: pytest.approx(0, abs=1e-5) for name in ("crop", "frame")} == {k: float(v) for k, v in losses.items()}


def test_a_teachers_weights_stay(folders: dict[str, Path]) -> None:
    teachers = load_crop_teachers([folders["wide"]], frames=FRAMES)
    trainer = make("wide", teachers, crop_weight=1.0, frame_weight=1.0, teacher_projection=False)
    before = teachers.nets[0].get_weights()
    trainer.train(batch(0))
    for one, same in zip(before, teachers.nets[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def test_the_state_has_the_projections_and_goes_on_bit_for_bit(folders: dict[str, Path], tmp_path: Path) -> None:
    teachers = load_crop_teachers([folders["resnet"], folders["wide"]], frames=FRAMES)
    through, first, second = (make("xvector", teachers, crop_weight=1.0, frame_weight=1.0) for _ in range(3))
    for step in range(4):
        through.train(batch(step))
    for step in range(2):
        first.train(batch(step))
    first.save(tmp_path / "state.npz", notes=b"")
    second.load(tmp_path / "state.npz")
    for step in range(2, 4):
        second.train(batch(step))
    for one, other in zip(through._state(), second._state(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    shapes = [tuple(v.shape) for v in through._state()]
    assert {(5, 13), (10, 30), (30,)} <= set(shapes)
    with pytest.raises(DataError, match="another configuration"):
        make("xvector", teachers, crop_weight=1.0).load(tmp_path / "state.npz")


# --- who may teach ---------------------------------------------------------------------------------------------------


def test_an_open_mean_is_the_teachers(folders: dict[str, Path]) -> None:
    names = [(name, folders[name]) for name in ("resnet", "wide")]
    assert common_front_end(replace(FEATURES, mean_start=()), names) == FEATURES
    assert common_front_end(FEATURES, names) == FEATURES
    assert common_front_end(replace(FEATURES, mean_start=()), []).mean_start == ()


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({"prior_frames": 7}, {"prior_frames": "7, the net has 50"}),
        ({"num_mels": 9, "mean_start": ()}, {"num_mels": "9, the net has 8", "mean_start": "the two start from other"}),
        ({"mean_start": (2.0,) * MELS}, {"mean_start": "the two start from other values"}),
        ({"normalization": "none", "clip": 3.0}, {"normalization": "none, the net has", "clip": "3.0, the net has"}),
    ],
)
def test_another_front_end_is_refused(tmp_path: Path, changes: dict[str, Any], details: dict[str, str]) -> None:
    description = describe("resnet", replace(FEATURES, **changes))
    save_net(tmp_path / "other", description, build_net(description))
    with pytest.raises(UsageError, match="'other' cannot teach crops or frames") as caught:
        common_front_end(FEATURES, [("other", tmp_path / "other")])
    assert set(caught.value.details) == set(details)
    assert all(caught.value.details[field].startswith(text) for field, text in details.items())
