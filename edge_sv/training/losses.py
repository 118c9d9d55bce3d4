"""What training minimizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any


def aam_softmax(embeddings: Tensor, classes: Tensor, labels: Tensor, *, margin: Tensor, scale: float) -> Tensor:
    """Compute the additive angular margin softmax, averaged over the batch.

    Args:
        embeddings: (batch, dim).
        classes: (num_classes, dim) class vectors.
        labels: (batch,) int.
        margin: radians added to the angle to the own class.
        scale: s, the length of the normalized embeddings.

    Returns:
        Scalar.

    Source: J. Deng et al., ArcFace, arXiv 1801.07698, equation 3; past pi - margin, where cos(theta + m) would rise
    again, it continues as cos(theta) - m sin(m).
    """
    cosine = tf.matmul(tf.math.l2_normalize(embeddings, -1), tf.math.l2_normalize(classes, -1), transpose_b=True)
    own = tf.clip_by_value(tf.gather(cosine, labels, batch_dims=1), -1 + 1e-6, 1 - 1e-6)
    angle = tf.acos(own)
    hard = tf.where(angle + margin < np.pi, tf.cos(angle + margin), own - margin * tf.sin(margin))
    logits = scale * (cosine + tf.one_hot(labels, tf.shape(classes)[0]) * (hard - own)[:, None])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def frame_distance(maps: Tensor, targets: Tensor) -> Tensor:
    """Compute how much of a teacher's frame-level map stays unexplained: 0 when it is met, 1 for its mean alone.

        sum |s - t|^2 / sum |t - m|^2, over the batch and time; m is the mean of t over both

    Args:
        maps: (batch, time, width) s, the student's.
        targets: (batch, time, width) t, the teacher's.

    Returns:
        Scalar.

    Source: squared error between hidden layers: A. Romero et al., FitNets, arXiv 1412.6550, equation 3. The division
    is ours: without it a teacher's scale, and its share among several, would be that of its activations.
    """
    spread = tf.reduce_sum((targets - tf.reduce_mean(targets, axis=(0, 1))) ** 2)
    return tf.reduce_sum((maps - targets) ** 2) / tf.maximum(spread, 1e-12)


def cosine_distance(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean of 1 - cos between (batch, dim) embeddings and targets."""
    cosine = tf.reduce_sum(tf.math.l2_normalize(embeddings, -1) * tf.math.l2_normalize(targets, -1), -1)
    return tf.reduce_mean(1 - cosine)
