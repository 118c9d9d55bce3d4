"""First weights from another net: equal layers are copied, narrower ResNet blocks and a strided stem are fitted to it."""

from __future__ import annotations

import numpy as np
import tf_keras

from edge_sv.compress.prune import fit_stem, narrow_block
from edge_sv.errors import UsageError
from edge_sv.features import Float32


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
    names = {layer.name for layer in source.layers}
    filled: dict[str, str] = {}
    for layer in target.layers:
        if not layer.weights:
            continue
        if layer.name not in names:
            raise UsageError(f"cannot start from this net: it has no layer '{layer.name}'")
        weights = source.get_layer(layer.name).get_weights()
        block, _, part = layer.name.rpartition("_")
        if [w.shape for w in weights] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(weights)
            filled[layer.name] = "copied"
        elif layer.name == "stem_conv":
            fit_stem(source, target, "stage1_pool", features)
            filled[layer.name] = "fitted"
        elif part == "conv1":
            narrow_block(source, target, block, features)
            filled |= {f"{block}_conv1": "narrowed", f"{block}_conv2": "narrowed"}
        elif layer.name not in filled:
            raise UsageError(
                f"cannot start from this net: layer '{layer.name}' has another shape",
                details={"got": f"{weights[0].shape}, wanted {tuple(layer.weights[0].shape)}"},
            )
    return filled


def center_embedding(model: tf_keras.Model, features: Float32) -> None:
    """Move the embedding's bias so that the mean embedding of `features` is zero: cosine then uses the whole sphere."""
    layer = model.get_layer("embedding")
    kernel, bias = layer.get_weights()
    mean = np.asarray(model.predict(features, verbose=0), np.float32).mean(axis=0)
    layer.set_weights([kernel, bias - mean])
