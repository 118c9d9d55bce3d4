"""What a compression method is to training: a net that can be trained, and how it becomes the compressed net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from edge_sv.artifacts.palette import Palette
from edge_sv.models.checkpoint import NetDescription, save_net
from edge_sv.system.array_types import Float32
from edge_sv.system.files import write_atomic

Model = Any
"""A tf_keras.Model."""
Crops = Callable[[], Float32]
"""Makes (crops, frames, num_mels, 1), some hundred clean ones of the training speech, the same at every call."""


@dataclass(frozen=True)
class Extras:
    """What is saved beside a compressed net's weights.

    Args:
        palettes: layer -> palette, in place of that layer's kernel.
        files: file name -> bytes, whatever else the converter needs.
        figures: for the epoch's row of the history; where `complete` is 0, the net is kept only until there is one of a
            complete epoch.
        provenance: JSON values that tell how the net came to be.
    """

    palettes: Mapping[str, Palette] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


class TrainableMethod(Protocol):
    """A net's form under compression, made from the float net and a recipe."""

    def trainable(self, model: Model, crops: Crops) -> Model:
        """Return the net to train, which computes as the compressed one will, from the float net's weights.

        It takes and gives what `model` does. Its list of weights may be another; layers keep their names but for a
        prefix `quant_`.

        Args:
            model: the float net.
            crops: for a method that has to see activations before it begins.
        """
        ...

    def begin_epoch(self, epoch: int) -> bool:
        """Prepare an epoch, counted from 0; return whether the net now computes by another graph.

        What is prepared depends on the number alone, so that an interrupted run goes on with the same result.
        """
        ...

    def finish(self, net: Model, trained: Sequence[Float32]) -> Extras:
        """Put trained weights into the plain net, rounded for good; return what is saved beside its weights.

        Args:
            net: of the float net's description.
            trained: in the order of the weights of what `trainable` returned.
        """
        ...


class Uncompressed:
    """The form of a net that is not compressed."""

    def trainable(self, model: Model, _crops: Crops) -> Model:
        """Return the net itself."""
        return model

    def begin_epoch(self, _epoch: int) -> bool:
        """Prepare nothing."""
        return False

    def finish(self, net: Model, trained: Sequence[Float32]) -> Extras:
        """Put the weights into the net."""
        net.set_weights(list(trained))
        return Extras()


def save_compressed(folder: Path, description: NetDescription, model: Model, extras: Extras) -> None:
    """Write a net's folder with what belongs beside its weights."""
    for name, data in extras.files.items():
        write_atomic(folder / name, data)
    provenance = {**description.provenance, **extras.provenance}
    save_net(folder, replace(description, provenance=provenance), model, extras.palettes)
