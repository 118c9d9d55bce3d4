"""Teachers that hear the very crop that the student hears: float nets inside the training step.

They give what is learned at two levels: the crop's embedding, and the frame-level map that their pooling takes.

    crop  = 1 - cos(W s, t),  t = concat_k (e_k - m_k) / |e_k - m_k|
    frame = mean_k frame_distance(A F V_k + b_k, A T_k)

with s, F the student's embedding and map, e_k, T_k those of teacher k, m_k its mean embedding, A an average over time
to the fewest frames of all, and W, V, b learned, or left out where a net follows itself.

Source: X. Liu, M. Sahidullah, T. Kinnunen, Distilling Multi-Level X-vector Knowledge for Small-footprint Speaker
Verification, arXiv 2303.01125: a student of several levels of its teacher, the frame level included, and of several
teachers side by side. Only its abstract could be read; the equations are ours, and so is that teachers hear the
augmented crop instead of the clean recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.errors import UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.models.checkpoint import load_description, load_net
from edge_sv.models.layer_names import POOL_INPUTS
from edge_sv.system.array_types import Float32
from edge_sv.training.config import LossSection
from edge_sv.training.losses import frame_distance

Tensor = Any
QUANTIZED = "quant_"
"""Prefix of layers that quantization-aware training has wrapped."""


def frame_map(model: tf_keras.Model) -> Tensor:
    """Find the map that a net's pooling takes: (batch, time, freq, channels), symbolic.

    Raises:
        UsageError: the net has no pooling over time.
    """
    layers = {layer.name.removeprefix(QUANTIZED): layer for layer in model.layers}
    for name in POOL_INPUTS:
        if name in layers:
            return layers[name].input
    raise UsageError(f"the net '{model.name}' has no frame-level map", details={"missing": " or ".join(POOL_INPUTS)})


def with_frames(model: tf_keras.Model) -> tf_keras.Model:
    """Give a net its frame-level map as a second output, (batch, time, freq * channels); it shares all layers."""
    tap = frame_map(model)
    _, time, freq, channels = tap.shape
    flat = tf_keras.layers.Reshape((time, freq * channels), name="frame_level")(tap)
    return tf_keras.Model(model.input, [model.output, flat])


def average_frames(maps: Tensor, frames: int) -> Tensor:
    """Average (batch, time, width) to fewer frames, (batch, frames, width); each takes an equal part of the time."""
    time = int(maps.shape[1])
    if time == frames:
        return maps
    edges = np.arange(frames + 1) * time / frames
    overlap = np.minimum(edges[1:, None], np.arange(1, time + 1)) - np.maximum(edges[:-1, None], np.arange(time))
    shares = np.maximum(overlap, 0) * frames / time
    return tf.einsum("ft,btw->bfw", tf.constant(shares, maps.dtype), maps)


@dataclass(frozen=True, eq=False)
class CropTeachers:
    """Float nets side by side.

    Args:
        nets: each with two outputs, see `with_frames`.
        centres: of each, (embedding_dim,), what its embeddings have in common.
    """

    nets: tuple[tf_keras.Model, ...]
    centres: tuple[Float32, ...]

    @property
    def embedding_dim(self) -> int:
        """Length of all embeddings side by side."""
        return sum(len(centre) for centre in self.centres)

    @property
    def map_shapes(self) -> list[tuple[int, int]]:
        """(time, width) of each net's frame-level map."""
        return [tuple(net.output_shape[1][1:]) for net in self.nets]

    def centred(self, crops: Float32) -> CropTeachers:
        """Centre the embeddings on these crops: what all have in common would fill the cosine and teach nothing."""
        means = [net.predict(crops, verbose=0)[0].mean(axis=0) for net in self.nets]
        return replace(self, centres=tuple(np.asarray(mean, np.float32) for mean in means))

    def embed(self, crops: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Hear crops: the embeddings, centred and length-normalized, side by side, and the frame-level maps."""
        outputs = [net(crops, training=False) for net in self.nets]
        embeddings = [
            tf.math.l2_normalize(out[0] - centre, -1) for out, centre in zip(outputs, self.centres, strict=True)
        ]
        return tf.concat(embeddings, -1), [out[1] for out in outputs]


class FrameMatch:
    """A student's frame-level map against its teachers': averaged over time to the coarsest, mapped, compared.

        distance = mean over teachers k of frame_distance(A s W_k + b_k, A t_k)

    A averages to the fewest frames that any of the nets has. W, b: learned, zero at first; none where one teacher's
    map has the student's width, unless the configuration asks for it.

    Args:
        model: the student.
        teachers: whom to match.
        loss: says whether a projection is wanted everywhere.
    """

    def __init__(self, model: tf_keras.Model, teachers: CropTeachers, loss: LossSection) -> None:
        self.net = with_frames(model)
        """The student with its frame-level map as a second output."""
        time, width = self.net.output_shape[1][1:]
        shapes = teachers.map_shapes
        self._time = min([time, *(other for other, _ in shapes)])
        self._widths = [other for _, other in shapes]
        self.variables: list[tf.Variable] = []
        if loss.teacher_projection or self._widths != [width]:
            sizes = {"frame_projection": (width, sum(self._widths)), "frame_bias": (sum(self._widths),)}
            self.variables = [tf.Variable(tf.zeros(size), name=name) for name, size in sizes.items()]

    def distance(self, maps: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """Compare (batch, time, width) with the teachers' maps: a scalar."""
        maps = average_frames(maps, self._time)
        if self.variables:
            kernel, bias = self.variables
            maps = tf.einsum("btw,wv->btv", maps, kernel) + bias
        parts = tf.split(maps, self._widths, axis=-1)
        aligned = [average_frames(target, self._time) for target in targets]
        return tf.add_n([frame_distance(*pair) for pair in zip(parts, aligned, strict=True)]) / len(parts)


def load_crop_teachers(folders: Sequence[Path], *, frames: int) -> CropTeachers:
    """Read float nets for crops of so many frames; nothing is centred yet.

    Raises:
        DataError: a folder holds no float net.
        UsageError: a net without a pooling over time.
    """
    nets = [load_net(folder, frames=frames)[0] for folder in folders]
    centres = tuple(np.zeros(net.output_shape[-1], np.float32) for net in nets)
    return CropTeachers(tuple(with_frames(net) for net in nets), centres)


def common_front_end(features: FeatureConfig, teachers: Sequence[tuple[str, Path]]) -> FeatureConfig:
    """Find the front end under which a net and its teachers hear the same crop.

    Args:
        features: the net's own; where it leaves the start of the running mean open, the teachers' is taken.
        teachers: names and folders.

    Raises:
        UsageError: a teacher has another front end.
        DataError: a folder holds no float net.
    """
    for name, folder in teachers:
        theirs = load_description(folder).features
        open_fields = set() if features.mean_start else {"mean_start"}
        ours, other = asdict(features), asdict(theirs)
        different = [field for field in ours if ours[field] != other[field] and field not in open_fields]
        if different:
            raise UsageError(
                f"'{name}' cannot teach crops or frames: it has another front end",
                details={field: _difference(other[field], ours[field]) for field in different},
                hint="set the same [features], or crop_weight and frame_weight to 0",
            )
        features = theirs
    return features


def _difference(theirs: object, ours: object) -> str:
    if isinstance(theirs, tuple) or isinstance(ours, tuple):
        return "the two start from other values"
    return f"{theirs}, the net has {ours}"
