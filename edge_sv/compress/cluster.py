"""Weight clustering with TensorFlow Model Optimization (TFMOT): a layer's weights share N values, which are trained.

    assign   index = argmin_k |w - c_k|
    use      W = c[index]                                              clustering, the first half of the epochs
             W = (L / 127) round(127 c[index] / L), L = max_k |c_k|    cluster-preserving, the second half
    train    dc_k = sum of dW over the weights of cluster k,  dw = dW

Centroids begin at a k-means++ sample of the layer's weights, as `tfmot.clustering.keras.cluster_weights` draws it, and
assignments and gradients are those of TFMOT's `ClusteringAlgorithm`. Each weight keeps a value of its own beside its
cluster's and may so change clusters. In the second half activations are rounded too (`quantization_aware`), and the
centroids to 8 bits with one scale for the layer: so what is trained is the palette that lies in flash, at most N values
for a layer, and none of the steps between training and flash can split a cluster.

Sources: S. Han et al., Deep Compression, arXiv 1510.00149, section 3 (shared weights, gradients of centroids); D.
Arthur and S. Vassilvitskii, k-means++, SODA 2007. The order, clustering and then quantization-aware training that
preserves clusters, is TFMOT's collaborative optimization. TFMOT's own second step rounds each output channel with a
scale of its own, so a layer's N values become N other ones in each channel; and it takes the layer for clustered by
channel when channels happen to have equally many values. One scale for the layer and one run for both halves are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from edge_sv.artifacts.palette import CODEBOOK_MAX, Palette
from edge_sv.compress.fake_quant import KernelQuantizer, KernelRange, Quantizer, as_written, kernel_of
from edge_sv.compress.method import Extras
from edge_sv.compress.quantization_aware import KERNEL_BITS, QuantizationAware
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule
from edge_sv.system.array_types import Float32

clustering = tfmot.clustering.keras
Tensor = Any
CENTROIDS = "centroids"
SMALLEST = 1e-12


@dataclass
class Phase:
    """Which half of the training a net is in; quantizers look here when a graph is made of them."""

    rounds: bool = False


class ClusteredKernel(Quantizer):  # type: ignore[misc]
    """Gives every weight its cluster's value.

    Args:
        bits: of an index.
        start: (clusters,) first centroids.
        phase: whether centroids are rounded, too.
    """

    def __init__(self, bits: int, start: Float32, phase: Phase) -> None:
        self.bits, self.start, self.phase = bits, start, phase

    def build(self, tensor_shape: Any, name: str, layer: tf_keras.layers.Layer) -> dict[str, Any]:
        """Make the centroids."""
        first = tf_keras.initializers.Constant(self.start)
        return {CENTROIDS: layer.add_weight(CENTROIDS, shape=self.start.shape, initializer=first, trainable=True)}

    @as_written
    def __call__(self, inputs: Tensor, training: Any, weights: dict[str, Any], **_: Any) -> Tensor:
        """Compute W from the weights' own values."""
        algorithm = clustering.ClusteringAlgorithm(weights[CENTROIDS])
        values = algorithm.get_clustered_weight(algorithm.get_pulling_indices(inputs), inputs)
        if not self.phase.rounds:
            return values
        limit = tf.stop_gradient(tf.reduce_max(tf.abs(weights[CENTROIDS]))) + SMALLEST
        return tf.quantization.fake_quant_with_min_max_vars(values, -limit, limit, num_bits=8, narrow_range=True)

    def rounded(self, kernel: Float32) -> Float32:
        """Return what a kernel is before the first step."""
        return self.palette(kernel, {CENTROIDS: self.start}).weights()

    def palette(self, kernel: Float32, own: Mapping[str, Float32]) -> Palette:
        """Cluster a kernel for good.

        Args:
            kernel: (height, width, in, out) the weights' own values.
            own: the centroids.
        """
        centroids = np.sort(own[CENTROIDS]).astype(np.float64)
        limit = max(float(np.abs(centroids).max()), SMALLEST)
        codebook, places = np.unique(np.rint(centroids / limit * CODEBOOK_MAX).astype(np.int8), return_inverse=True)
        nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, kernel)
        return Palette(
            bits=self.bits,
            codebook=codebook,
            indices=places[nearest].astype(np.uint8),
            scales=np.full(kernel.shape[-1], limit, np.float32),
        )

    def get_config(self) -> dict[str, Any]:
        """Return what makes the quantizer again."""
        return {"bits": self.bits, "start": self.start.tolist()}


class Later(Quantizer):  # type: ignore[misc]
    """Another quantizer, which lets everything pass until the second half.

    Args:
        inner: that one.
        phase: when to begin.
    """

    def __init__(self, inner: Quantizer, phase: Phase) -> None:
        self.inner, self.phase = inner, phase

    def build(self, tensor_shape: Any, name: str, layer: tf_keras.layers.Layer) -> dict[str, Any]:
        """Make the other's variables."""
        made: dict[str, Any] = self.inner.build(tensor_shape, name, layer)
        return made

    @as_written
    def __call__(self, inputs: Tensor, training: Any, weights: dict[str, Any], **kwargs: Any) -> Tensor:
        """Compute what the other does, or nothing."""
        return self.inner(inputs, training, weights, **kwargs) if self.phase.rounds else inputs

    def get_config(self) -> dict[str, Any]:
        """Return what makes the quantizer again."""
        return {"inner": self.inner}


class Clustered(QuantizationAware):
    """A net's form in weight clustering and then cluster-preserving training; see `edge_sv.compress.method`.

    Args:
        kernels: layer -> how its kernel is clustered or rounded.
        phase: that the kernels look at.
        epochs: of the run; the second half of them preserves clusters, all of one.
    """

    def __init__(self, kernels: Mapping[str, KernelQuantizer], phase: Phase, epochs: int) -> None:
        super().__init__(kernels, around=lambda quantizer: Later(quantizer, phase))
        self._phase, self._epochs = phase, epochs

    def begin_epoch(self, epoch: int) -> bool:
        """Begin to round in the second half."""
        before, self._phase.rounds = self._phase.rounds, epoch >= self._epochs // 2
        return self._phase.rounds != before

    def finish(self, net: tf_keras.Model, trained: Sequence[Float32]) -> Extras:
        """Cluster kernels for good; a net of the first half is kept only until there is one of the second."""
        extras = super().finish(net, trained)
        return replace(extras, figures={**extras.figures, "complete": float(self._phase.rounds)})


def cluster_method(model: tf_keras.Model, recipe: CompressionRecipe, epochs: int) -> Clustered:
    """Read off a recipe which kernels are clustered; convolutions without a rule are rounded to 8 bits.

    Args:
        model: the float net.
        recipe: the compression.
        epochs: that the net will be trained for.

    Raises:
        UsageError: a rule matches no layer.
    """
    kinds = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, kinds)}
    rules, phase = recipe.assign(layers), Phase()
    kernels = {name: _make_quantizer(layer, rules.get(name), phase) for name, layer in layers.items()}
    return Clustered(kernels, phase, epochs)


def first_centroids(kernel: Float32, clusters: int) -> Float32:
    """Draw centroids by k-means++ as TFMOT's clustering does.

    Args:
        kernel: (height, width, in, out).
        clusters: how many; a kernel of fewer values has those.

    Returns:
        (clusters,) ascending.
    """
    values = np.unique(kernel)
    if len(values) <= clusters:
        return np.asarray(values, np.float32)
    height, width, depth, filters = kernel.shape
    layer = tf_keras.layers.Conv2D(filters, (height, width), use_bias=False)
    layer.build((1, None, None, depth))
    layer.set_weights([kernel])
    wrapper = clustering.cluster_weights(
        layer,
        number_of_clusters=clusters,
        cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
    )
    wrapper.build((1, None, None, depth))
    return np.asarray(np.sort(wrapper.cluster_centroids["kernel"].numpy()), np.float32)


def _make_quantizer(layer: tf_keras.layers.Layer, rule: LayerRule | None, phase: Phase) -> KernelQuantizer:
    """Make what rounds a layer's kernel; depthwise convolutions have few weights and keep 8 bits."""
    if rule is None or isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return KernelRange.of(layer, KERNEL_BITS)
    clusters = rule.clusters or 1 << rule.weights
    return ClusteredKernel(rule.weights, first_centroids(kernel_of(layer).numpy(), clusters), phase)
