"""Weights that the tests of quantizers share."""

from __future__ import annotations

import numpy as np


def make_weights(seed: int = 0, shape: tuple[int, int, int, int] = (3, 3, 16, 24)) -> np.ndarray:
    """Make normal weights whose channels differ in size."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * np.exp(rng.standard_normal(shape[-1]))).astype(np.float32)
