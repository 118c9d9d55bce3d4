"""A net that computes with compressed weights and still trains: rounding forward, identity backward.

    W_used = W + stop_gradient(Q(W) - W)

Q is `edge_sv.recipes.grid.quantize` as a graph: the codebook of the layer stays as it was made from the float
net, assignments and scales follow the weights at every step. Source of the estimator: Y. Bengio et al., Estimating or
Propagating Gradients Through Stochastic Neurons, arXiv 1308.3432; of its use with k-means codebooks: arXiv 2406.05359.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.artifacts.palette import Palette
from edge_sv.compress.method import Crops, Extras
from edge_sv.errors import UsageError
from edge_sv.recipes.grid import Grid, quantize
from edge_sv.recipes.quantizers import make_grid
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule
from edge_sv.system.array_types import Float32


class CompressedConv2D(tf_keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution whose kernel takes only the values of a grid.

    Set `grid` before the layer is first called; without one, or while it is not active, it is an ordinary convolution.
    What is set later counts in graphs that are made later.
    """

    grid: Grid | None = None
    active: bool = True

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve with the rounded kernel."""
        if self.grid is None or not self.active:
            return super().convolution_op(inputs, kernel)
        values = tf.cast(self.kernel, tf.float32)
        rounded = values + tf.stop_gradient(round_to_grid(values, self.grid) - values)
        return super().convolution_op(inputs, tf.cast(rounded, kernel.dtype))


def round_to_grid(kernel: Any, grid: Grid) -> Any:
    """Compute Q(W) of a (height, width, in, out) kernel, as `quantize(W, grid).weights()` does."""
    rms = tf.sqrt(tf.reduce_mean(kernel**2, axis=(0, 1, 2)))
    normalized = kernel / tf.maximum(grid.clip_ratio * rms, 1e-30)
    levels = grid.levels
    middles = (levels[..., 1:] + levels[..., :-1]) / 2
    if levels.ndim == 1:
        values = tf.gather(tf.constant(levels), tf.raw_ops.Bucketize(input=normalized, boundaries=middles.tolist()))
    else:
        steps = levels[:, 1:] - levels[:, :-1]
        above = tf.cast(normalized[..., tf.newaxis] >= middles, tf.float32)
        values = levels[:, 0] + tf.reduce_sum(above * steps, axis=-1)
    energy = tf.reduce_sum(values**2, axis=(0, 1, 2))
    scales = tf.maximum(tf.reduce_sum(kernel * values, axis=(0, 1, 2)) / tf.maximum(energy, 1e-30), 0.0)
    return values * scales


@dataclass(frozen=True)
class NetCompression:
    """The grids of a net's layers.

    Args:
        grids: layer -> values its kernel may take.
    """

    grids: Mapping[str, Grid]

    def trainable(self, model: tf_keras.Model, _crops: Crops | None = None) -> tf_keras.Model:
        """Clone a net so that these layers compute with rounded kernels; weights keep their names and order.

        Without grids the net itself is returned.
        """
        if not self.grids:
            return model

        def clone(layer: Any) -> Any:
            if layer.name not in self.grids:
                return layer.__class__.from_config(layer.get_config())
            copy = CompressedConv2D.from_config(layer.get_config())
            copy.grid = self.grids[layer.name]
            return copy

        copy = tf_keras.models.clone_model(model, clone_function=clone)
        copy.set_weights(model.get_weights())
        return copy

    def begin_epoch(self, _epoch: int) -> bool:
        """Prepare nothing: all layers are rounded from the first step on."""
        return False

    def finish(self, net: tf_keras.Model, trained: Sequence[Float32]) -> Extras:
        """Put trained weights into the plain net and round its kernels for good."""
        net.set_weights(list(trained))
        return Extras(palettes=self.apply(net))

    def apply(self, model: tf_keras.Model) -> dict[str, Palette]:
        """Round a net's kernels for good; returns layer -> palette."""
        palettes = {}
        for name, grid in self.grids.items():
            layer = model.get_layer(name)
            palettes[name] = quantize(layer.kernel.numpy(), grid)
            layer.kernel.assign(palettes[name].weights())
        return palettes


def straight_through_method(model: tf_keras.Model, recipe: CompressionRecipe, _epochs: int = 0) -> NetCompression:
    """Make the grids that a recipe asks for from a float net's weights.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    grids = {}
    for name, rule in find_layers(model, recipe).items():
        assert rule.quantizer is not None, "find_layers finds those that have one"
        weights = np.asarray(model.get_layer(name).kernel.numpy(), np.float32)
        grids[name] = make_grid(rule.quantizer, weights, rule.weights, per_channel=rule.granularity == "channel")
    return NetCompression(grids)


def find_layers(model: tf_keras.Model, recipe: CompressionRecipe) -> dict[str, LayerRule]:
    """Find the layers that a recipe compresses, and the rule of each.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    kernels = {layer.name: layer for layer in model.layers if hasattr(layer, "kernel")}
    _refuse_depthwise(recipe, kernels, [layer.name for layer in model.layers if hasattr(layer, "depthwise_kernel")])
    rules = recipe.assign(kernels)
    for name in rules:
        if type(kernels[name]) is not tf_keras.layers.Conv2D:
            kind = type(kernels[name]).__name__
            raise UsageError(f"recipe '{recipe.name}' cannot compress layer '{name}'", details={"got": kind})
    return rules


def _refuse_depthwise(recipe: CompressionRecipe, kernels: Iterable[str], depthwise: Iterable[str]) -> None:
    """Refuse a rule for depthwise convolutions alone: they have one filter a channel and stay at 8 bits."""
    for number, rule in enumerate(recipe.rules, 1):
        found = fnmatch.filter(depthwise, rule.match)
        if found and not fnmatch.filter(kernels, rule.match):
            raise UsageError(
                f"recipe '{recipe.name}', rule {number} is for depthwise layers, which keep 8 bits",
                details={"match": rule.match, "layers": ", ".join(found)},
                hint="remove the rule: their weights are few",
            )
