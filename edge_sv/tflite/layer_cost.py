"""What a layer costs: a plain row that nets, artifacts and reports share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LayerProfile:
    """One layer's cost.

    Args:
        name: the layer's name in the net, or the operator's output tensor in a converted file.
        kind: what it computes (`conv`, `add`, `CONV_2D`, ...).
        output_shape: without the batch axis.
        parameters: numbers learned (weights and biases; batch-norm statistics count until they are folded).
        weight_bits: bits of a weight; 0 when there is none.
        weight_bytes: bytes of all its constants (weights, biases, scales) in the format described.
        macs: multiply-accumulates of one inference.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    weight_bits: int
    weight_bytes: int
    macs: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "output_shape": list(self.output_shape)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LayerProfile:
        """Read what `to_dict` wrote.

        Raises:
            TypeError, KeyError, ValueError: it did not.
        """
        layer = cls(**{**values, "output_shape": tuple(values["output_shape"])})
        counts = (*layer.output_shape, layer.parameters, layer.weight_bits, layer.weight_bytes, layer.macs)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError(f"a count of layer '{layer.name}' is none")
        if not (isinstance(layer.name, str) and isinstance(layer.kind, str)):
            raise TypeError("a layer's name or kind is no text")
        return layer
