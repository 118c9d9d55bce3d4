"""Schedules, one step, and a state that comes back bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edge_sv.errors import DataError
from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.training.batches import Batch
from edge_sv.training.config import LossSection, OptimizerSection
from edge_sv.training.trainer import MAX_GRADIENT_NORM, Trainer

FRAMES, MELS, CLASSES, DIM = 12, 8, 5, 6
OPTIMIZER = OptimizerSection(learning_rate=0.01, epochs=4, steps_per_epoch=10, warmup_steps=5, ema_decay=0.9)
LOSS = LossSection(margin=0.2, margin_epochs=2)
DISTIL = LossSection(teachers=("reference",), teacher_weight=2.0)


def make(
    *,
    loss: LossSection = LOSS,
    optimizer: OptimizerSection = OPTIMIZER,
    target_dim: int = 0,
    batch_norm: bool = True,
    seed: int = 1,
    policy: str = "float32",
) -> Trainer:
    config = ResNetConfig(
        stem_channels=4, stage_channels=(4,), stage_blocks=(1,), downsample=("none",), batch_norm=batch_norm,
        pooling="mean_time_freq", embedding_dim=DIM,
    )  # fmt: skip
    tf_keras.utils.set_random_seed(seed)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        model = build_resnet(config, frames=FRAMES, num_mels=MELS)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    trainer = Trainer(model, num_classes=CLASSES, target_dim=target_dim, loss=loss, optimizer=optimizer)
    trainer.start_averages()
    return trainer


def batch(step: int, target_dim: int = 0) -> Batch:
    """Make a batch whose labels can be read off the crops' bands."""
    rng = np.random.default_rng(step)
    labels = rng.integers(CLASSES, size=16)
    crops = 0.3 * rng.normal(size=(16, FRAMES, MELS, 1))
    crops[np.arange(16), :, labels] += 2
    return Batch(crops.astype(np.float32), labels, rng.normal(size=(16, target_dim)).astype(np.float32))


def variables(trainer: Trainer) -> list[np.ndarray]:
    return [*trainer.model.get_weights(), *trainer.averaged_weights(), trainer.classes.numpy()]


def assert_equal(a: Trainer, b: Trainer) -> None:
    for one, other in zip(variables(a), variables(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_rate_warms_up_and_follows_a_cosine_to_zero() -> None:
    trainer = make()
    rates = [trainer.learning_rate(step) for step in range(41)]
    assert rates[0] == pytest.approx(0.01 / 5)
    assert rates[:5] == sorted(rates[:5]) and rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[20] == pytest.approx(0.005)
    assert rates[10] == pytest.approx(0.01 * 0.5 * (1 + np.cos(np.pi / 4)))
    assert rates[40] == pytest.approx(0, abs=1e-12)
    assert trainer.learning_rate(99) == pytest.approx(0, abs=1e-12)
    assert make(optimizer=OPTIMIZER.model_copy(update={"warmup_steps": 0})).learning_rate(0) == 0.01


def test_the_margin_grows_over_its_epochs() -> None:
    trainer = make()
    assert [trainer.margin(step) for step in (0, 5, 10, 20, 35)] == pytest.approx([0, 0.05, 0.1, 0.2, 0.2])
    assert make(loss=LossSection(margin=0.3)).margin(0) == 0.3


def test_training_lowers_the_loss() -> None:
    trainer = make()
    values = [trainer.train(batch(step)) for step in range(40)]
    assert set(values[0]) == {"aam", "loss", "gradient_norm"}
    assert trainer.step == 40
    losses = [value["loss"] for value in values]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])  # although the margin has grown


def test_the_loss_is_the_weighted_sum() -> None:
    values = make(loss=DISTIL, target_dim=3).train(batch(0, 3))
    assert values["loss"] == pytest.approx(values["aam"] + 2 * values["teacher"], rel=1e-5)
    alone = make(loss=DISTIL.model_copy(update={"aam_weight": 0.0}), target_dim=3).train(batch(0, 3))
    assert set(alone) == {"teacher", "loss", "gradient_norm"}
    assert alone["loss"] == pytest.approx(2 * alone["teacher"], rel=1e-5)


def test_averages_follow_the_weights() -> None:
    trainer = make()
    before = trainer.model.get_weights()
    for average, weight in zip(trainer.averaged_weights(), before, strict=True):
        np.testing.assert_array_equal(average, weight)
    trainer.train(batch(0))  # decay of the first step: 1 / 10
    for average, old, new in zip(trainer.averaged_weights(), before, trainer.model.get_weights(), strict=True):
        np.testing.assert_allclose(average, 0.1 * old + 0.9 * new, rtol=1e-5, atol=1e-6)


def test_the_projection_starts_at_its_best_fit() -> None:
    rng = np.random.default_rng(0)
    embeddings, exact = rng.normal(size=(40, DIM)).astype(np.float32), rng.normal(size=(DIM, 3)).astype(np.float32)
    trainer = make(loss=DISTIL, target_dim=3)
    trainer.fit_projection(embeddings, embeddings @ exact)
    assert trainer._projection is not None
    np.testing.assert_allclose(trainer._projection.numpy(), exact, atol=1e-4)
    plain = make(loss=DISTIL.model_copy(update={"teacher_projection": False}), target_dim=DIM)
    assert plain._projection is None
    assert make()._projection is None


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_saved_run_goes_on_bit_for_bit(tmp_path: Path, policy: str, batch_norm: bool) -> None:
    settings: dict[str, Any] = {"loss": DISTIL, "target_dim": 3, "policy": policy, "batch_norm": batch_norm}
    through, first = make(**settings), make(**settings)
    for step in range(6):
        through.train(batch(step, 3))
    for step in range(3):
        first.train(batch(step, 3))
    first.save(tmp_path / "state.npz", notes=b'{"any": "bytes \xff"}')
    second = make(**settings, seed=77)
    assert second.load(tmp_path / "state.npz") == b'{"any": "bytes \xff"}'
    assert second.step == 3
    assert_equal(first, second)
    for step in range(3, 6):
        assert second.train(batch(step, 3))["loss"] > 0
    assert_equal(through, second)
    assert all(np.isfinite(value).all() for value in variables(second))


def test_mixed_precision_keeps_its_weights_in_float32() -> None:
    trainer = make(policy="mixed_bfloat16")
    trainer.train(batch(0))
    assert trainer.model.layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in variables(trainer)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "other", [{"batch_norm": False}, {"loss": DISTIL, "target_dim": 3}, {"loss": DISTIL, "target_dim": DIM}]
)
def test_another_configurations_state_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    make().save(tmp_path / "state.npz", notes=b"")
    trainer = make(**other)
    before = variables(trainer)
    with pytest.raises(DataError, match="another configuration"):
        trainer.load(tmp_path / "state.npz")
    for one, same in zip(variables(trainer), before, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("cut", [0, 10, 2000, -1])
def test_a_damaged_state_is_told(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "state.npz"
    make().save(path, notes=b"")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"state\.npz is damaged"):
        make().load(path)


def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.npz"
    trainer = make()
    trainer.save(path, notes=b"old")
    old = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_sv.system.files.os.fsync", full)
    trainer.train(batch(0))
    with pytest.raises(DataError, match="cannot write"):
        trainer.save(path, notes=b"new")
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def test_long_gradients_are_shortened() -> None:
    trainer = make(loss=LossSection(scale=1e4))
    assert trainer.train(batch(0))["gradient_norm"] > 10 * MAX_GRADIENT_NORM
    assert float(tf.linalg.global_norm(trainer._optimizer._momentums)) == pytest.approx(0.1 * MAX_GRADIENT_NORM, 1e-3)
