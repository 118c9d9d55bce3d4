"""First values of a net and its training heads: random, or another net's.

Layers of equal shape are copied; narrower ResNet blocks and a strided stem are fitted to the other net's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from edge_sv.errors import UsageError
from edge_sv.frontend.segments import normalize_length
from edge_sv.models.layer_names import EMBEDDING, STEM
from edge_sv.models.resnet import block_convolutions, stage_pool
from edge_sv.system.array_types import Float32
from edge_sv.training.batches import BatchMaker
from edge_sv.training.prune import can_fit_stem, can_narrow, fit_stem, narrow_block
from edge_sv.training.trainer import Trainer

BATCH = 64
START_BATCHES = 8
STEM_OUTPUT = stage_pool(1)
"""What a strided stem replaces: the other net's layers up to this one."""
BEFORE_TRAINING = 1 << 30
"""Number of the first batch that is looked at before the first step."""


def start_from(origin: tf_keras.Model, trainer: Trainer, maker: BatchMaker) -> None:
    """Give the net an origin's weights, class vectors their crops' mean embeddings, and the projection its best fit.

    Raises:
        UsageError: a layer of the net has no counterpart that fits.
    """
    crops = first_crops(maker)
    inherit(trainer.model, origin, crops)
    center_embedding(trainer.model, crops)
    start_heads(trainer, maker)


def first_crops(maker: BatchMaker) -> Float32:
    """Make the clean crops that are looked at before the first step, (crops, frames, num_mels, 1)."""
    batches = [maker.make(BEFORE_TRAINING + i, BATCH, augmented=False) for i in range(START_BATCHES)]
    return np.concatenate([batch.crops for batch in batches])


def start_heads(trainer: Trainer, maker: BatchMaker) -> None:
    """Give class vectors their crops' mean embeddings and the projection its best fit, by the net as it is."""
    trainer.start_averages()
    if trainer.classes is None and not trainer.has_projection:
        return
    embeddings, labels, targets = _embed_classes(trainer, maker)
    trainer.fit_projection(embeddings, targets)
    if trainer.classes is None:
        return
    classes = trainer.classes.numpy()
    for label in np.unique(labels):
        classes[label] = normalize_length(embeddings[labels == label]).mean(axis=0)
    trainer.classes.assign(classes)


def inherit(target: tf_keras.Model, source: tf_keras.Model, features: Float32) -> dict[str, str]:
    """Fill `target` from `source`, layer by layer of the same name.

    Args:
        target: the net to fill.
        source: a net of the same family.
        features: (batch, frames, num_mels, 1) on which fitted layers should compute what the source's do.

    Returns:
        layer -> how it was filled: `copied`, `narrowed` or `fitted`.

    Raises:
        UsageError: a layer has no counterpart that fits.
    """
    filled: dict[str, str] = {}
    for layer in _layers_to_fill(target, source):
        block = layer.name.rpartition("_")[0]
        if _is_alike(layer, source.get_layer(layer.name)):
            layer.set_weights(source.get_layer(layer.name).get_weights())
            filled[layer.name] = "copied"
        elif layer.name == STEM and can_fit_stem(source, target, STEM_OUTPUT):
            fit_stem(source, target, STEM_OUTPUT, features)
            filled[layer.name] = "fitted"
        elif layer.name == block_convolutions(block)[0] and can_narrow(source, target, block):
            narrow_block(source, target, block, features)
            filled |= dict.fromkeys(block_convolutions(block), "narrowed")
        elif layer.name not in filled:
            raise UsageError(
                f"cannot start from this net: layer '{layer.name}' has another shape",
                details={"got": _shapes(source.get_layer(layer.name)), "wanted": _shapes(layer)},
            )
    return filled


def _layers_to_fill(target: tf_keras.Model, source: tf_keras.Model) -> Iterator[tf_keras.layers.Layer]:
    """Yield the layers of `target` that have weights; refuse a source with another input, or without one of them."""
    if source.input_shape != target.input_shape:
        raise UsageError(
            "cannot start from this net: it has another input",
            details={"got": f"{source.input_shape[1:3]} frames and mels, wanted {target.input_shape[1:3]}"},
        )
    names = {layer.name for layer in source.layers}
    for layer in target.layers:
        if layer.weights and layer.name not in names:
            raise UsageError(f"cannot start from this net: it has no layer '{layer.name}'")
        if layer.weights:
            yield layer


def _is_alike(layer: tf_keras.layers.Layer, other: tf_keras.layers.Layer) -> bool:
    strides = [getattr(one, "strides", None) for one in (layer, other)]
    return _shapes(layer) == _shapes(other) and strides[0] == strides[1]


def _shapes(layer: tf_keras.layers.Layer) -> str:
    return ", ".join(str(tuple(weight.shape)) for weight in layer.weights)


def center_embedding(model: tf_keras.Model, features: Float32) -> None:
    """Move the embedding's bias so that the mean embedding of `features` is zero: cosine then uses the whole sphere."""
    layer = model.get_layer(EMBEDDING)
    kernel, bias = layer.get_weights()
    mean = np.asarray(model.predict(features, verbose=0), np.float32).mean(axis=0)
    layer.set_weights([kernel, bias - mean])


def _embed_classes(trainer: Trainer, maker: BatchMaker) -> tuple[Float32, npt.NDArray[Any], Float32]:
    """Embed clean crops: embeddings, labels, targets; enough to see nearly every class, where classes are learned."""
    rounds = START_BATCHES if trainer.classes is None else max(1, 4 * maker.num_classes // BATCH)
    batches = [maker.make(BEFORE_TRAINING + i, BATCH, augmented=False) for i in range(rounds)]
    embeddings = [np.asarray(trainer.model.predict(b.crops, verbose=0), np.float32) for b in batches]
    return (
        np.concatenate(embeddings),
        np.concatenate([b.labels for b in batches]),
        np.concatenate([trainer.targets(b) for b in batches]),
    )
