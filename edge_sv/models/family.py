"""What a family of nets is: a configuration, a function that builds nets from it, and the names of their layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol

import tf_keras

from edge_sv.models.layer_names import EMBEDDING, POOL_CONVOLUTIONS, STEM, matches


class NetConfig(Protocol):
    """A family's configuration: a frozen dataclass whose fields have defaults."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True)
class Family:
    """A family of nets.

    Args:
        config: its configuration's class.
        build: makes a net with fresh weights, (batch, frames, num_mels, 1) -> (batch, embedding_dim), from a
            configuration and the keywords `frames` and `num_mels`.
        convolutions: names of its own convolutions, see `edge_sv.models.layer_names`.
    """

    config: type[NetConfig]
    build: Callable[..., tf_keras.Model]
    convolutions: tuple[str, ...]

    def has_convolution(self, name: str) -> bool:
        """Tell whether nets of this family may have a convolution of this name."""
        return any(matches(name, pattern) for pattern in (STEM, *self.convolutions, *POOL_CONVOLUTIONS, EMBEDDING))
