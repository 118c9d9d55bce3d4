"""The net, its training heads, the optimizer and the averaged weights: one step of training, and all of its state."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.errors import DataError
from edge_sv.system.array_types import Float32
from edge_sv.system.files import write_atomic
from edge_sv.system.npz import read_arrays
from edge_sv.training.batches import Batch
from edge_sv.training.config import LossSection, OptimizerSection
from edge_sv.training.crop_teachers import CropTeachers, FrameMatch
from edge_sv.training.losses import aam_softmax, cosine_distance

MAX_GRADIENT_NORM = 5.0
"""A longer gradient, over all weights, is shortened to this."""


class Trainer:
    """Holds everything that a step changes.

    Args:
        model: the net in the training precision.
        num_classes: speakers times speeds.
        target_dim: length of the teachers' embeddings, 0 without teachers.
        loss: weights and margins.
        optimizer: rates and sizes.
        teachers: float nets that hear the crops; needed where the loss has a weight for crops or frames.
    """

    def __init__(
        self,
        model: tf_keras.Model,
        *,
        num_classes: int,
        target_dim: int,
        loss: LossSection,
        optimizer: OptimizerSection,
        teachers: CropTeachers | None = None,
    ) -> None:
        self.model, self._loss, self._config, self._teachers = model, loss, optimizer, teachers
        dim = int(model.output_shape[-1])
        random = tf.random.stateless_normal
        self.classes: tf.Variable | None = None
        if loss.aam_weight:
            self.classes = tf.Variable(random((num_classes, dim), (1, 2)) * 0.1, name="classes")
        self._projection: tf.Variable | None = None
        target_dim = target_dim or (teachers.embedding_dim if teachers and loss.crop_weight else 0)
        if target_dim and (loss.teacher_projection or target_dim != dim):
            self._projection = tf.Variable(random((dim, target_dim), (3, 4)) * dim**-0.5, name="projection")
        self._frames = FrameMatch(model, teachers, loss) if teachers and loss.frame_weight else None
        self._averages = [tf.Variable(w, trainable=False) for w in model.weights]
        self._optimizer = tf_keras.optimizers.AdamW(optimizer.learning_rate, weight_decay=optimizer.weight_decay)
        self._trained = [*model.trainable_variables]
        self._trained += [head for head in (self.classes, self._projection) if head is not None]
        self._trained += self._frames.variables if self._frames else []
        self._optimizer.build(self._trained)
        self.step = 0
        self.compile()

    @property
    def has_projection(self) -> bool:
        """Whether embeddings are mapped to the teachers' by learned weights."""
        return self._projection is not None

    def targets(self, batch: Batch) -> Float32:
        """Return what the mapped embeddings of a batch should be: (batch, target_dim), from whoever teaches."""
        if batch.targets.shape[-1] or self._teachers is None:
            return batch.targets
        return np.asarray(self._teachers.embed(tf.constant(batch.crops))[0], np.float32)

    def compile(self) -> None:
        """Make the graph of a step anew, from what the net computes now."""
        self._compiled = tf.function(self._train_step)

    def start_averages(self) -> None:
        """Set the averaged weights to the current ones."""
        for average, weight in zip(self._averages, self.model.weights, strict=True):
            average.assign(weight)

    def fit_projection(self, embeddings: Float32, targets: Float32) -> None:
        """Start the map from embeddings (n, dim) to the teachers' (n, target_dim) at its least-squares solution."""
        if self._projection is not None:
            self._projection.assign(np.linalg.lstsq(embeddings, targets, rcond=None)[0])

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step: linear warm-up, then a cosine to zero."""
        total = self._config.epochs * self._config.steps_per_epoch
        warm = min(1.0, (step + 1) / max(1, self._config.warmup_steps))
        return float(self._config.learning_rate * warm * 0.5 * (1 + np.cos(np.pi * min(1.0, step / total))))

    def margin(self, step: int) -> float:
        """Return the margin of a step: it grows linearly over the first `margin_epochs`."""
        grow = self._loss.margin_epochs * self._config.steps_per_epoch
        return self._loss.margin * (min(1.0, step / grow) if grow else 1.0)

    def train(self, batch: Batch) -> dict[str, float]:
        """Do one step; returns `aam`, `teacher`, `crop`, `frame` (as far as they count), `loss`, `gradient_norm`."""
        self._optimizer.learning_rate.assign(self.learning_rate(self.step))
        decay = min(self._config.ema_decay, (1 + self.step) / (10 + self.step))
        values = self._compiled(
            tf.constant(batch.crops),
            tf.constant(batch.labels),
            tf.constant(batch.targets),
            tf.constant(self.margin(self.step), tf.float32),
            tf.constant(decay, tf.float32),
        )
        self.step += 1
        return {name: float(value) for name, value in values.items()}

    def _train_step(self, crops: Any, labels: Any, targets: Any, margin: Any, decay: Any) -> dict[str, Any]:
        taught = self._teachers.embed(crops) if self._teachers else (None, [])
        with tf.GradientTape() as tape:
            losses = self._losses(crops, labels, targets, margin, taught)
            total = tf.add_n([getattr(self._loss, f"{name}_weight") * loss for name, loss in losses.items()])
        gradients = tape.gradient(total, self._trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients, norm = tf.clip_by_global_norm(gradients, MAX_GRADIENT_NORM)
        self._optimizer.apply_gradients(zip(gradients, self._trained, strict=True))
        for average, weight in zip(self._averages, self.model.weights, strict=True):
            average.assign(decay * average + (1 - decay) * weight if weight.dtype.is_floating else weight)
        return {**losses, "loss": total, "gradient_norm": norm}

    def _losses(
        self, crops: Any, labels: Any, targets: Any, margin: Any, taught: tuple[Any, list[Any]]
    ) -> dict[str, Any]:
        """Compute the losses that count, by the first part of their weights' names."""
        net, loss = self._frames.net if self._frames else self.model, self._loss
        outputs = net(crops, training=True)
        embeddings = tf.cast(outputs[0] if self._frames else outputs, tf.float32)
        mapped = embeddings if self._projection is None else tf.matmul(embeddings, self._projection)
        losses = {}
        if loss.aam_weight:
            losses["aam"] = aam_softmax(embeddings, self.classes, labels, margin=margin, scale=loss.scale)
        if loss.teacher_weight and targets.shape[-1]:
            losses["teacher"] = cosine_distance(mapped, targets)
        if loss.crop_weight and self._teachers:
            losses["crop"] = cosine_distance(mapped, taught[0])
        if self._frames:
            losses["frame"] = self._frames.distance(tf.cast(outputs[1], tf.float32), taught[1])
        return losses

    def averaged_weights(self) -> list[Float32]:
        """Return the exponential average of the net's weights, in the order of `model.weights`."""
        return [average.numpy() for average in self._averages]

    def _state(self) -> list[tf.Variable]:
        return [*self.model.weights, *self._trained, *self._averages, *self._optimizer.variables]

    def save(self, path: Path, *, notes: bytes) -> None:
        """Write the whole state, and notes of the caller's, into one file, whole or not at all.

        Raises:
            DataError: the folder is not writable or the disk is full; the old state is untouched.
        """
        buffer = io.BytesIO()
        arrays = {f"v{i}": v.numpy() for i, v in enumerate(self._state())}
        np.savez(buffer, step=np.int64(self.step), notes=np.frombuffer(notes, np.uint8), **arrays)
        write_atomic(path, buffer.getvalue())

    def load(self, path: Path) -> bytes:
        """Read what `save` wrote; returns the notes.

        Raises:
            DataError: the state is damaged, or of another run.
        """
        arrays = read_arrays(path)
        variables = self._state()
        names = [f"v{i}" for i in range(len(variables))]
        if set(arrays) != {"step", "notes", *names} or any(
            arrays[n].shape != tuple(v.shape) for n, v in zip(names, variables, strict=True)
        ):
            raise DataError(
                f"{path} is the state of another configuration", hint="choose another --out, or remove that folder"
            )
        for name, variable in zip(names, variables, strict=True):
            variable.assign(arrays[name])
        self.step = int(arrays["step"])
        return bytes(arrays["notes"].tobytes())
