"""A tiny net of each family, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FRAMES, NUM_MELS = 20, 12
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "resnet": {
        "stem_channels": 4,
        "stage_channels": (4, 8),
        "stage_blocks": (1, 1),
        "downsample": ("max_pool", "stride"),
        "relu_limit": 6.0,
        "pooling": "statistics",
        "embedding_dim": 8,
    },
    "df_resnet": {"stage_channels": (4, 8), "stage_blocks": (1, 1), "expansion": 2, "embedding_dim": 8},
    "ecapa_tdnn": {
        "channels": 16,
        "res2net_scale": 4,
        "dilations": (1, 2),
        "squeeze_channels": 4,
        "aggregation_channels": 8,
        "attention_channels": 4,
        "embedding_dim": 8,
    },
    "xvector": {
        "channels": 8,
        "kernels": (5, 3),
        "dilations": (1, 2),
        "pooled_channels": 12,
        "pooling": "deviation",
        "embedding_dim": 8,
    },
    "redimnet": {
        "channels": 2,
        "stage_strides": (1, 2),
        "stage_blocks": (1, 1),
        "stage_expansion": (1, 2),
        "context_channels": (4, 4),
        "context_kernels": (3,),
        "attention_channels": 4,
        "embedding_dim": 8,
    },
}


def build_tiny(family: str, *, seed: int = 3, frames: int = FRAMES, num_mels: int = NUM_MELS) -> Any:
    """Build a net of a family with seeded random weights; batch normalizations do something."""
    import numpy as np
    import tf_keras

    from edge_sv.models.checkpoint import net_config
    from edge_sv.models.families import FAMILIES as BUILDERS

    tf_keras.utils.set_random_seed(seed)
    model = BUILDERS[family].build(net_config(family, dict(FAMILIES[family])), frames=frames, num_mels=num_mels)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model
