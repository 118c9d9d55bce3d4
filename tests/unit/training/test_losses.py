"""Losses equal their formulas written out, and their gradients are finite where formulas are not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from edge_sv.training.losses import aam_softmax, cosine_distance, frame_distance


def plain_aam(embeddings: np.ndarray, classes: np.ndarray, labels: np.ndarray, margin: float, scale: float) -> float:
    """Write the formula out for every crop and class, in double precision."""
    losses = []
    for x, label in zip(embeddings.astype(float), labels, strict=True):
        logits = []
        for number, w in enumerate(classes.astype(float)):
            cosine = x @ w / np.linalg.norm(x) / np.linalg.norm(w)
            if number == label:
                angle = np.arccos(np.clip(cosine, -1, 1))
                cosine = np.cos(angle + margin) if angle + margin < np.pi else cosine - margin * np.sin(margin)
            logits.append(scale * cosine)
        losses.append(np.log(np.sum(np.exp(np.array(logits) - max(logits)))) + max(logits) - logits[label])
    return float(np.mean(losses))


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_aam_softmax_is_its_formula(margin: float, scale: float) -> None:
    rng = np.random.default_rng(0)
    embeddings = (5 * rng.normal(size=(32, 6))).astype(np.float32)
    classes = (0.1 * rng.normal(size=(9, 6))).astype(np.float32)
    labels = rng.integers(9, size=32)
    computed = aam_softmax(embeddings, classes, labels, margin=tf.constant(margin), scale=scale)
    assert float(computed) == pytest.approx(plain_aam(embeddings, classes, labels, margin, scale), rel=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1.0, np.pi - 0.21, np.pi - 0.19, np.pi - 0.05, np.pi])
def test_at_every_angle(angle: float) -> None:
    """Past pi - margin the penalty goes on without rising again."""
    embeddings = np.array([[np.cos(angle), np.sin(angle)]], np.float32)
    classes = np.array([[1, 0], [0, 1]], np.float32)
    computed = aam_softmax(embeddings, classes, np.array([0]), margin=tf.constant(0.2), scale=4.0)
    assert float(computed) == pytest.approx(plain_aam(embeddings, classes, np.array([0]), 0.2, 4.0), abs=1e-4)


def test_no_margin_is_plain_softmax_and_margin_costs() -> None:
    rng = np.random.default_rng(1)
    embeddings, classes = (rng.normal(size=(n, 4)).astype(np.float32) for n in (20, 5))
    labels = rng.integers(5, size=20)
    unit_x, unit_w = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (embeddings, classes))
    plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, 30 * unit_x @ unit_w.T)
    margins = [tf.constant(margin) for margin in (0.0, 0.1, 0.2)]
    values = [float(aam_softmax(embeddings, classes, labels, margin=margin, scale=30.0)) for margin in margins]
    assert values[0] == pytest.approx(float(tf.reduce_mean(plain)), rel=1e-5)
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("own", [[1, 0, 0], [-1, 0, 0], [1, 1e-8, 0], [-1, 1e-4, 0], [0, 0, 0]], ids=str)
def test_gradients_are_finite_where_the_arc_cosine_is_steep(own: list[float]) -> None:
    embeddings, classes = tf.constant([own], tf.float32), tf.constant([[1, 0, 0], [0, 1, 0]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([embeddings, classes])
        loss = aam_softmax(embeddings, classes, tf.constant([0]), margin=tf.constant(0.2), scale=30.0)
    assert np.isfinite(float(loss))
    for gradient in tape.gradient(loss, [embeddings, classes]):
        assert np.isfinite(gradient.numpy()).all()


def test_cosine_distance() -> None:
    a = np.array([[2, 0], [0, 3], [1, 1], [1, 0]], np.float32)
    b = np.array([[5, 0], [0, -1], [1, 0], [0, 7]], np.float32)
    for rows, expected in (([0], 0.0), ([1], 2.0), ([2], 1 - 0.5**0.5), ([3], 1.0), ([0, 1], 1.0)):
        assert float(cosine_distance(a[rows], b[rows])) == pytest.approx(expected, abs=1e-6)


def test_cosine_distance_of_teachers_side_by_side_is_the_mean_of_theirs() -> None:
    rng = np.random.default_rng(2)
    parts = rng.normal(size=(2, 2, 8, 5)).astype(np.float32)
    parts /= np.linalg.norm(parts, axis=-1, keepdims=True)
    joined = np.concatenate(parts, axis=-1)
    apart = [float(cosine_distance(*part)) for part in parts]
    assert float(cosine_distance(*joined)) == pytest.approx(np.mean(apart), abs=1e-6)


def test_frame_distance_is_the_unexplained_share() -> None:
    rng = np.random.default_rng(3)
    targets = (rng.normal(size=(4, 6, 5)) + 7).astype(np.float32)
    mean = targets.mean(axis=(0, 1))
    maps = rng.normal(size=targets.shape).astype(np.float32)
    wanted = np.square(maps - targets).sum() / np.square(targets - mean).sum()
    assert float(frame_distance(maps, targets)) == pytest.approx(wanted, rel=1e-4)
    assert float(frame_distance(targets, targets)) == 0
    assert float(frame_distance(np.broadcast_to(mean, targets.shape), targets)) == pytest.approx(1, rel=1e-4)
    assert float(frame_distance(100 * maps, 100 * targets)) == pytest.approx(wanted, rel=1e-4)
    assert np.isfinite(float(frame_distance(maps, np.ones_like(maps))))
