"""What the check of a converted model measured, as it is kept in artifacts and packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_sv.errors import DataError
from edge_sv.system.array_types import Float32

CheckKind = Literal["full", "reference", "recorded"]
"""How a converted model is checked before it is packaged:

- `full`: Keras, LiteRT's reference kernels and TensorFlow Lite Micro run the same recordings.
- `reference`: LiteRT's reference kernels stand in for TensorFlow Lite Micro, and the check that was recorded when the
  model was converted for Keras where TensorFlow is missing.
- `recorded`: nothing runs; what was recorded counts.
"""


@dataclass(frozen=True)
class CheckReport:
    """What the check stage measured.

    Args:
        source: where the recordings come from.
        recordings: how many were embedded.
        exact_segments: segments at which TensorFlow Lite Micro equals the reference kernels bit for bit: all compared.
        cosine_min: lowest cosine of int8 (reference kernels) and float embedding.
        cosine_mean: its mean.
        default_kernels_cosine_min: lowest cosine of LiteRT's default kernels and float.
        trials: of the development list; 0 without.
        targets: target trials among them.
        eer_float: cosine EER of the float net, None without a list.
        eer_int8: of the int8 model.
        uncompressed: the same of the net before it was compressed: `cosine_min` and `cosine_mean` of the int8 model's
            embeddings and that net's, and its EER; None when nothing was compressed.
        made: how much of the check was made, see `CheckKind`; what was not stands as it was recorded.
        embeddings: of the int8 model in the reference kernels, by id; not kept.
    """

    source: str
    recordings: int
    exact_segments: int
    cosine_min: float
    cosine_mean: float
    default_kernels_cosine_min: float
    trials: int
    targets: int
    eer_float: float | None
    eer_int8: float | None
    uncompressed: Mapping[str, float | None] | None = None
    made: CheckKind = "full"
    embeddings: Mapping[str, Float32] = field(default_factory=dict, repr=False, compare=False)

    @property
    def bit_exact(self) -> bool:
        """Whether that was compared; a model that is not bit-exact does not pass."""
        return self.exact_segments > 0

    @property
    def cosine_to_float(self) -> float:
        """Lowest cosine of int8 embedding and that of the net as it was before compression."""
        return self.cosine_min if self.uncompressed is None else self.uncompressed["cosine_min"] or 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the embeddings as JSON values; `made` where it was not the full check."""
        left_out = {"embeddings", *(["made"] if self.made == "full" else [])}
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in left_out}
        return {"bit_exact": self.bit_exact, **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CheckReport:
        """Read what `to_dict` wrote.

        Raises:
            DataError: a figure is missing or unknown.
        """
        try:
            return cls(**{name: value for name, value in values.items() if name != "bit_exact"})
        except TypeError as error:
            raise DataError("the record of a check is damaged", details={"got": str(error)}) from error
