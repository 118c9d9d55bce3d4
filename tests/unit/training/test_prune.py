"""Pruned layers compute what wider ones did: exactly where nothing is lost, nearly where little is."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.training.prune import can_fit_stem, can_narrow, fit_stem, narrow_block, select_groups


def outputs_error(x: np.ndarray, weights: np.ndarray, kept: list[int], refitted: np.ndarray, group: int) -> float:
    """Measure the squared change of x @ weights, relative to what it was."""
    columns = np.concatenate([np.arange(g * group, (g + 1) * group) for g in kept])
    return float(np.square(x[:, columns] @ refitted - x @ weights).sum() / np.square(x @ weights).sum())


def random_weights(inputs: int, outputs: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(inputs, outputs))


def correlated(rows: int, columns: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    return np.asarray(x - x.mean(axis=0))


def test_keeping_everything_changes_nothing() -> None:
    x, weights = correlated(200, 12), random_weights(12, 5)
    kept, refitted = select_groups(x.T @ x, weights, 3, 4)
    assert kept == [0, 1, 2, 3]
    np.testing.assert_array_equal(refitted, weights)


@pytest.mark.parametrize("group", [1, 3])
def test_a_group_of_zeros_goes_first_and_costs_nothing(group: int) -> None:
    x, weights = correlated(300, 5 * group), random_weights(5 * group, 4)
    x[:, 2 * group : 3 * group] = 0
    kept, refitted = select_groups(x.T @ x, weights, group, 4)
    assert kept == [0, 1, 3, 4]
    assert outputs_error(x, weights, kept, refitted, group) < 1e-12


@pytest.mark.parametrize("group", [1, 3])
def test_one_of_two_equal_groups_goes_first_and_costs_almost_nothing(group: int) -> None:
    x, weights = correlated(300, 5 * group), random_weights(5 * group, 4)
    x[:, 3 * group : 4 * group] = x[:, group : 2 * group]
    kept, refitted = select_groups(x.T @ x, weights, group, 4)
    assert kept in ([0, 1, 2, 4], [0, 2, 3, 4])
    assert outputs_error(x, weights, kept, refitted, group) < 1e-4
    plain = np.delete(weights, np.arange(group, 2 * group) + (2 * group if 3 not in kept else 0), axis=0)
    assert outputs_error(x, weights, kept, plain, group) > 0.01


def test_refitting_beats_dropping_and_is_the_least_squares_answer() -> None:
    x, weights = correlated(500, 12), random_weights(12, 6)
    kept, refitted = select_groups(x.T @ x, weights, 2, 4)
    columns = np.concatenate([[2 * g, 2 * g + 1] for g in kept])
    ours = outputs_error(x, weights, kept, refitted, 2)
    best = np.linalg.lstsq(x[:, columns], x @ weights, rcond=None)[0]
    assert ours < 0.5 * outputs_error(x, weights, kept, weights[columns], 2)
    assert ours == pytest.approx(outputs_error(x, weights, kept, best, 2), rel=1e-2)


def test_the_cheapest_single_group_is_found() -> None:
    x, weights = correlated(500, 8, seed=4), random_weights(8, 3)
    kept, _ = select_groups(x.T @ x, weights, 1, 7)
    errors = []
    for dropped in range(8):
        rest = [i for i in range(8) if i != dropped]
        best = np.linalg.lstsq(x[:, rest], x @ weights, rcond=None)[0]
        errors.append(outputs_error(x, weights, rest, best, 1))
    assert set(range(8)) - set(kept) == {int(np.argmin(errors))}


@pytest.mark.parametrize("keep", [0, -1, 5])
def test_keeping_what_is_not_there(keep: int) -> None:
    with pytest.raises(ValueError, match="of 4 groups"):
        select_groups(np.eye(8), np.ones((8, 2)), 2, keep)


# --- nets ------------------------------------------------------------------------------------------------------------


def build(
    *,
    inner: tuple[int, ...] = (),
    stem: int = 3,
    stride: int = 1,
    first: str = "max_pool",
    channels: tuple[int, ...] = (4, 6),
    batch_norm: bool = False,
) -> tf_keras.Model:
    """Build a two-stage net without batch norm, with random weights and biases."""
    config = ResNetConfig(
        stem_channels=channels[0],
        stem_kernel=stem,
        stem_stride=(stride, stride),
        stage_channels=channels,
        stage_inner=inner,
        stage_blocks=(1, 1),
        downsample=(first, "none"),  # type: ignore[arg-type]
        batch_norm=batch_norm,
        relu_limit=6.0,
        pooling="mean_time_freq",
        embedding_dim=5,
    )
    model = build_resnet(config, frames=16, num_mels=8)
    rng = np.random.default_rng(3)
    model.set_weights([(0.4 * rng.normal(size=w.shape)).astype(np.float32) for w in model.get_weights()])
    return model


def tap(model: tf_keras.Model, layer: str, features: np.ndarray) -> np.ndarray:
    return np.asarray(tf_keras.Model(model.input, model.get_layer(layer).output)(features))


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(30, 16, 8, 1)).astype(np.float32)


def copy_all_but(source: tf_keras.Model, target: tf_keras.Model, *skipped: str) -> None:
    for layer in target.layers:
        if layer.weights and layer.name not in skipped:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def test_a_block_with_a_silent_and_a_doubled_channel_narrows_to_itself(features: np.ndarray) -> None:
    source, target = build(), build(inner=(2, 6))
    kernel, bias = source.get_layer("stage1_block1_conv1").get_weights()
    kernel[..., 3], bias[3] = 0, -1  # never passes its ReLU
    kernel[..., 2], bias[2] = kernel[..., 0], bias[0]
    source.get_layer("stage1_block1_conv1").set_weights([kernel, bias])
    copy_all_but(source, target, "stage1_block1_conv1", "stage1_block1_conv2")
    assert can_narrow(source, target, "stage1_block1")
    narrow_block(source, target, "stage1_block1", features)
    before, after = tap(source, "stage1_block1_relu", features), tap(target, "stage1_block1_relu", features)
    assert np.abs(before - after).max() < 0.02 * np.abs(before).max()
    np.testing.assert_allclose(target(features), source(features), atol=0.02 * np.abs(source(features)).max())


def test_a_narrowed_block_is_near_and_keeps_its_mean(features: np.ndarray) -> None:
    source, target = build(), build(inner=(3, 5))
    copy_all_but(source, target, *(f"stage{s}_block1_conv{c}" for s in (1, 2) for c in (1, 2)))
    for stage in (1, 2):
        narrow_block(source, target, f"stage{stage}_block1", features)
    before, after = (tap(model, "stage1_block1_conv2", features) for model in (source, target))
    np.testing.assert_allclose(after.mean(axis=(0, 1, 2)), before.mean(axis=(0, 1, 2)), atol=1e-3)
    assert np.square(before - after).mean() < 0.5 * before.var()


def test_a_strided_stem_is_fitted_to_stem_and_pool(features: np.ndarray) -> None:
    source, target = build(), build(stem=5, stride=2, first="none")
    copy_all_but(source, target, "stem_conv")
    assert can_fit_stem(source, target, "stage1_pool")
    fit_stem(source, target, "stage1_pool", features)
    wanted, given = tap(source, "stage1_pool", features), tap(target, "stem_conv", features)
    patches = np.square(wanted - given).mean()
    assert patches < 0.6 * wanted.var()
    kernel, bias = target.get_layer("stem_conv").get_weights()
    for change in (1.02, 0.98):
        target.get_layer("stem_conv").set_weights([kernel * change, bias])
        assert np.square(wanted - tap(target, "stem_conv", features)).mean() > patches


def test_a_strided_stem_that_can_be_exact_is(features: np.ndarray) -> None:
    """A linear source is reproduced to rounding, borders included."""
    source, target = build(stem=5, stride=2, first="none"), build(stem=5, stride=2, first="none")
    target.get_layer("stem_conv").set_weights([np.zeros((5, 5, 1, 4)), np.zeros(4)])
    fit_stem(source, target, "stem_conv", features)
    for ours, theirs in zip(
        target.get_layer("stem_conv").get_weights(), source.get_layer("stem_conv").get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("target", "possible"),
    [
        ({"inner": (3, 6)}, True),
        ({}, False),
        ({"inner": (5, 6)}, False),
        ({"inner": (3, 6), "channels": (5, 6)}, False),
        ({"inner": (3, 6), "batch_norm": True}, False),
    ],
)
def test_what_can_be_narrowed(target: dict[str, object], possible: bool) -> None:
    assert can_narrow(build(), build(**target), "stage1_block1") is possible  # type: ignore[arg-type]


def test_what_cannot_be_fitted() -> None:
    assert not can_narrow(build(), build(), "stage9_block1")
    assert not can_fit_stem(build(), build(stem=5, stride=1, first="none"), "stage1_pool")
    assert not can_fit_stem(build(first="none"), build(stem=5, stride=2, first="none"), "stage1_pool")
    assert not can_fit_stem(build(), build(stem=5, stride=2, first="none", batch_norm=True), "stage1_pool")
