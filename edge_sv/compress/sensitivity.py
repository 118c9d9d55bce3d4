"""How much a net loses when one layer gets fewer bits, estimated two ways on the same crops.

What is lost is the cosine distance between the embeddings e(W) of the changed net and those of the float net,

    L(W) = mean over crops of 1 - cos(e(W), e(W0)) = mean of |u(W) - u(W0)|^2 / 2,    u = e / |e|

`hessian`, source: arXiv 2406.05359, section 4, after Z. Dong et al., HAWQ-V2, arXiv 1911.03852, equation 5:

    s_i(b) = Tr(H_i) / n_i * |W_i - Q_b(W_i)|^2

with H_i the Hessian of the loss in layer i's n_i weights. The papers take the task's loss. Ours is L: it needs no
labels or class vectors, so a plan can be made for any net and any speech; it is what fine-tuning pulls back to zero;
and at the float net its gradient is zero, so H = mean of J^T J exactly, J the Jacobian of u, and no negative curvature
blurs the trace. The trace is Hutchinson's: Tr(J^T J) = Tr(J J^T) = E[v^T J J^T v] = E|J^T v|^2 with v random signs. The
papers draw v in the space of weights and differentiate twice; v in the space of embeddings has the same mean, needs one
backward pass, is never negative and keeps the layers apart: ten of these estimate every layer within some percent,
where ten of those leave small layers unknown, drowned by the cross terms of large ones.

`embedding`, ours and cheap: s_i(b) = L with Q_b(W_i) in layer i alone. It sees the very rounding and all that is not
quadratic, on these crops; the Hessian averages over the directions in which a rounding could fall.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.system.array_types import Float32
from edge_sv.system.files import write_atomic

Method = Literal["hessian", "embedding"]
Progress = Callable[[int, int, str], None]
"""Told of steps done, of how many, and what they are."""

BATCH = 8
SEED = 1
MIN_PROBES, MAX_PROBES = 10, 40
SETTLED = 0.05
"""Relative standard error at which a layer's trace counts as known."""


class ResultJournal:
    """Results that outlive a killed search: each is on disk as soon as it is noted.

    Args:
        path: a JSON file; what is there already is kept, unless it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, list[float]] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            self._values = {str(name): [float(v) for v in row] for name, row in json.loads(path.read_bytes()).items()}

    def fetch(self, name: str, make: Callable[[], Sequence[float]]) -> list[float]:
        """Return a result; make and note it if it is not there.

        Raises:
            DataError: the file cannot be written.
        """
        if name not in self._values:
            self._values[name] = [float(value) for value in make()]
            write_atomic(self._path, json.dumps(self._values).encode())
        return self._values[name]


def measure_hessian(
    model: tf_keras.Model,
    rounded: Mapping[str, Mapping[int, Float32]],
    crops: Float32,
    *,
    journal: ResultJournal,
    progress: Progress,
) -> dict[str, dict[int, float]]:
    """Estimate s_i(b) by the trace of the Hessian.

    Args:
        model: the float net.
        rounded: layer -> bits -> its kernel at these bits.
        crops: (n, frames, num_mels, 1).
        journal: of this net and these crops.
        progress: called for every probe.

    Returns:
        layer -> bits -> sensitivity.
    """
    traces = hessian_traces(model, crops, journal=journal, progress=progress)
    found = {}
    for name, kernels in rounded.items():
        kernel = model.get_layer(name).kernel.numpy()
        density = traces[name] / kernel.size
        found[name] = {bits: density * _squares(kernel - values) for bits, values in kernels.items()}
    return found


def hessian_traces(
    model: tf_keras.Model, crops: Float32, *, journal: ResultJournal, progress: Progress
) -> dict[str, float]:
    """Estimate Tr(H_i) of every layer that has a kernel; arguments as `measure_hessian`.

    Probes are drawn until each layer's trace is known within 5 %, 10 at least and 40 at most.
    """
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    kernels = [layer.kernel for layer in layers]

    def squares(batch: Any, signs: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            total = tf.reduce_sum(_directions(model, batch) * signs)
        return [tf.reduce_sum(gradient**2) for gradient in tape.gradient(total, kernels)]

    compiled = tf.function(squares)

    def probe(number: int) -> list[float]:
        signs = np.random.default_rng([SEED, number]).choice(
            np.array([-1, 1], np.float32), (len(crops), model.output_shape[-1])
        )
        parts = [slice(start, start + BATCH) for start in range(0, len(crops), BATCH)]
        found = [[float(value) for value in compiled(tf.constant(crops[p]), tf.constant(signs[p]))] for p in parts]
        return [float(value) for value in np.sum(found, axis=0) / len(crops)]

    rows: list[list[float]] = []
    while len(rows) < MIN_PROBES or (len(rows) < MAX_PROBES and _standard_error(rows) > SETTLED):
        number = len(rows)
        rows.append(journal.fetch(f"probe {number}", lambda: probe(number)))  # noqa: B023 (called at once)
        progress(len(rows), max(MIN_PROBES, len(rows)), "sensitivity")
    return {layer.name: float(trace) for layer, trace in zip(layers, np.mean(rows, axis=0), strict=True)}


def measure_embedding(
    model: tf_keras.Model,
    rounded: Mapping[str, Mapping[int, Float32]],
    crops: Float32,
    *,
    journal: ResultJournal,
    progress: Progress,
) -> dict[str, dict[int, float]]:
    """Measure s_i(b) with one layer rounded at a time; arguments and result as `measure_hessian`.

    Results are noted by layer and bits, so a journal is of one choice of quantizers.
    """
    run = tf.function(lambda batch: _directions(model, batch))

    def embed() -> Float32:
        parts = [run(tf.constant(crops[start : start + BATCH])) for start in range(0, len(crops), BATCH)]
        return np.concatenate([part.numpy() for part in parts])

    wanted = embed()
    pairs = [(name, bits) for name, kernels in rounded.items() for bits in kernels]
    found: dict[str, dict[int, float]] = {name: {} for name in rounded}
    for number, (name, bits) in enumerate(pairs, 1):
        kernel = model.get_layer(name).kernel

        def loss(kernel: Any = kernel, values: Float32 = rounded[name][bits]) -> list[float]:
            before = kernel.numpy()
            kernel.assign(values)
            try:
                return [_squares(embed() - wanted) / 2 / len(crops)]
            finally:
                kernel.assign(before)

        found[name][bits] = journal.fetch(f"{name} {bits}", loss)[0]
        progress(number, len(pairs), "sensitivity")
    return found


MEASURES: dict[Method, Callable[..., dict[str, dict[int, float]]]] = {
    "hessian": measure_hessian,
    "embedding": measure_embedding,
}


def _directions(model: tf_keras.Model, batch: Any) -> Any:
    """Embed (n, frames, num_mels, 1) crops; embeddings of length 1."""
    return tf.math.l2_normalize(model(batch, training=False), -1)


def _squares(values: Float32) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))


def _standard_error(rows: Sequence[Sequence[float]]) -> float:
    """Return the largest relative standard error of the columns' means."""
    table = np.asarray(rows)
    errors = table.std(axis=0, ddof=1) / np.sqrt(len(table))
    return float(np.max(errors / np.maximum(table.mean(axis=0), 1e-30)))
