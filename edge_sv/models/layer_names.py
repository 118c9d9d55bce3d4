"""Names of layers: what recipes' rules, training and analyses may rely on.

| layer | is |
|---|---|
| `stem_conv` | the first convolution |
| `embedding` | the last one, whose outputs are the embedding |
| `pool_...` | layers of the pooling over time; it has convolutions where it has attention |
| `X_bn`, `X_relu` | batch normalization and ReLU after convolution `X` |

Every net has these. The convolutions between them each family states for itself (`Family.convolutions`), with `#` for
a number: `stage#_block#_conv1`.
"""

from __future__ import annotations

import re

STEM = "stem_conv"
EMBEDDING = "embedding"
POOL = "pool"
POOL_CONVOLUTIONS = (f"{POOL}_attention_frame", f"{POOL}_attention_context", f"{POOL}_attention_score")
POOL_INPUTS = (f"{POOL}_context_mean", f"{POOL}_mean")
"""Layers that take the pooling's input, of attentive and of plain poolings; the first that a net has counts."""


def batch_norm_of(convolution: str) -> str:
    """Name the batch normalization that follows a convolution."""
    return f"{convolution}_bn"


def relu_of(convolution: str) -> str:
    """Name the ReLU that follows a convolution and its batch normalization."""
    return f"{convolution}_relu"


def matches(name: str, pattern: str) -> bool:
    """Tell whether a layer's name is of a family's pattern, in which `#` stands for a number."""
    return re.fullmatch(re.escape(pattern).replace(re.escape("#"), r"\d+"), name) is not None
