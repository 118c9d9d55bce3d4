"""Structured pruning: fewer channels, and the rest refitted so that the layer after them computes nearly the same.

Source: B. Hassibi, D. Stork, Second Order Derivatives for Network Pruning: Optimal Brain Surgeon, NIPS 1992, for one
layer's squared output error, whose Hessian is the inputs' second moment; removing a channel with all its weights at
once is the block form of their equations 5 and 6.
"""

from __future__ import annotations

import numpy as np
import tf_keras

from edge_sv.models.layer_names import STEM, relu_of
from edge_sv.models.resnet import block_convolutions
from edge_sv.system.array_types import Float32, Float64

DAMPING = 1e-4
MAX_ROWS = 60_000


def select_groups(second_moment: Float64, weights: Float64, group_size: int, keep: int) -> tuple[list[int], Float64]:
    """Remove input groups one by one, each time the one whose loss changes the outputs least.

    Args:
        second_moment: (inputs, inputs) X^T X of the centred inputs.
        weights: (inputs, outputs).
        group_size: consecutive inputs that go together.
        keep: groups that stay.

    Returns:
        The kept groups in order, and (keep * group_size, outputs) weights refitted by least squares.

    Raises:
        ValueError: there are not as many groups.
    """
    if not 0 < keep <= len(second_moment) // group_size:
        raise ValueError(f"cannot keep {keep} of {len(second_moment) // group_size} groups")
    size = len(second_moment)
    damped = second_moment + DAMPING * np.trace(second_moment) / size * np.eye(size)
    inverse = np.linalg.inv(damped)
    weights = weights.copy()
    alive = list(range(size // group_size))
    while len(alive) > keep:
        costs = []
        for group in alive:
            rows = slice(group * group_size, (group + 1) * group_size)
            costs.append(np.sum(weights[rows] * np.linalg.solve(inverse[rows, rows], weights[rows])))
        group = alive.pop(int(np.argmin(costs)))
        rows = slice(group * group_size, (group + 1) * group_size)
        gain = inverse[:, rows] @ np.linalg.inv(inverse[rows, rows])
        weights -= gain @ weights[rows]
        inverse -= gain @ inverse[rows]
    kept = np.concatenate([np.arange(g * group_size, (g + 1) * group_size) for g in alive])
    return alive, weights[kept]


def can_narrow(source: tf_keras.Model, target: tf_keras.Model, block: str) -> bool:
    """Tell whether `narrow_block` applies: the target is narrower between the convolutions, and else alike."""
    names = block_convolutions(block)
    if any(name not in {layer.name for layer in model.layers} for model in (source, target) for name in names):
        return False
    wide, narrow = ([model.get_layer(name) for name in names] for model in (source, target))
    same = all(
        (a.kernel_size, a.strides, a.use_bias, b.use_bias) == (b.kernel_size, b.strides, True, True)
        for a, b in zip(wide, narrow, strict=True)
    )
    return bool(
        same
        and wide[0].kernel.shape[:3] == narrow[0].kernel.shape[:3]
        and wide[0].filters > narrow[0].filters
        and wide[1].filters == narrow[1].filters
    )


def narrow_block(source: tf_keras.Model, target: tf_keras.Model, block: str, features: Float32) -> None:
    """Fill a block of a net without batch norm from a wider one's: fewer channels between its two convolutions.

    Args:
        source: the wider net.
        target: the net to fill; the block's two convolutions are set.
        block: `stage1_block1`.
        features: (batch, frames, num_mels, 1) for which the block's output should stay.
    """
    first, second = block_convolutions(block)
    kernel1, bias1 = source.get_layer(first).get_weights()
    kernel2, bias2 = source.get_layer(second).get_weights()
    keep = target.get_layer(first).filters
    hidden = _outputs(source, relu_of(first), features)
    taps = kernel2.shape[0] * kernel2.shape[1]
    patches = _patches(hidden, kernel2.shape[0], stride=1)
    mean = patches.mean(axis=0)
    centred = patches - mean
    # (kt, kf, in, out) -> rows that belong to one input channel side by side
    rows = kernel2.transpose(2, 0, 1, 3).reshape(-1, kernel2.shape[3]).astype(np.float64)
    kept, refitted = select_groups(centred.T @ centred, rows, taps, keep)
    columns = np.concatenate([np.arange(g * taps, (g + 1) * taps) for g in kept])
    bias = bias2 + mean @ rows - mean[columns] @ refitted
    shape = (keep, kernel2.shape[0], kernel2.shape[1], kernel2.shape[3])
    target.get_layer(first).set_weights([kernel1[..., kept], bias1[kept]])
    target.get_layer(second).set_weights([refitted.reshape(shape).transpose(1, 2, 0, 3), bias])


def can_fit_stem(source: tf_keras.Model, target: tf_keras.Model, output: str) -> bool:
    """Tell whether `fit_stem` applies: the source has the layer, and it has the shape of the target's stem."""
    stem = target.get_layer(STEM)
    found = [layer for layer in source.layers if layer.name == output]
    return bool(stem.use_bias and found and found[0].output_shape[1:] == stem.output_shape[1:])


def fit_stem(source: tf_keras.Model, target: tf_keras.Model, output: str, features: Float32) -> None:
    """Fit a strided stem by least squares to what a wider net has after its stem and pool.

    Args:
        source: the net to imitate.
        target: the net whose stem is set.
        output: the source's layer whose output the stem should give, of the same shape.
        features: (batch, frames, num_mels, 1).
    """
    stem = target.get_layer(STEM)
    wanted = _outputs(source, output, features)
    patches = _patches(features, stem.kernel_size[0], stride=stem.strides[0])
    patches = np.concatenate([patches, np.ones((len(patches), 1))], axis=1)
    values = _rows(wanted).astype(np.float64)
    solution = np.linalg.lstsq(patches, values, rcond=None)[0]
    kernel = solution[:-1].reshape(*stem.kernel_size, 1, -1)
    stem.set_weights([kernel, solution[-1]])


def _outputs(model: tf_keras.Model, layer: str, features: Float32) -> Float32:
    tap = tf_keras.Model(model.input, model.get_layer(layer).output)
    return np.asarray(tap.predict(features, verbose=0), np.float32)


def _patches(maps: Float32, size: int, *, stride: int) -> Float64:
    """Cut `same`-padded (size, size) patches: (batch, t, f, c) -> (rows, c * size * size), thinned to MAX_ROWS."""
    out = [-(-n // stride) for n in maps.shape[1:3]]
    total = [max((o - 1) * stride + size - n, 0) for o, n in zip(out, maps.shape[1:3], strict=True)]
    padded = np.pad(maps, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return _rows(windows).reshape(-1, maps.shape[3] * size * size).astype(np.float64)


def _rows(maps: Float32) -> Float32:
    """Take the same MAX_ROWS (batch, time, freq) positions of any map, in order."""
    count = int(np.prod(maps.shape[:3]))
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:MAX_ROWS])
    return maps[np.unravel_index(chosen, maps.shape[:3])]
