"""Averages of nets, weight by weight: a tuned net and what it was tuned from often generalize best in the middle.

Source: M. Wortsman et al., Model soups, arXiv 2203.05482; with the net's own first values: Robust fine-tuning of
zero-shot models, arXiv 2109.01903, equation 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.system.array_types import Float32

START = "start"
"""The run's own first values, by this name in the configuration."""


@dataclass(frozen=True)
class Average:
    """The part of an average that does not change while a run trains.

    Args:
        share: of the run's own net.
        rest: the other nets' weights, each times its share, summed; in the order of `model.weights`.
    """

    share: float
    rest: tuple[Float32, ...]

    def of(self, weights: Sequence[Float32]) -> list[Float32]:
        """Average the run's own weights with the others."""
        if not self.rest:
            return list(weights)
        return [self.share * own + rest for own, rest in zip(weights, self.rest, strict=True)]


def make_average(model: tf_keras.Model, shares: Mapping[str, float], nets: Mapping[str, Sequence[Float32]]) -> Average:
    """Sum up the nets that a run's own net is averaged with.

    Args:
        model: the run's net.
        shares: name -> share; the run's own net has what is left of 1.
        nets: name -> weights, in the order of `model.weights`.

    Raises:
        UsageError: a net of another shape.
    """
    wanted = [tuple(weight.shape) for weight in model.weights]
    for name in shares:
        found = [weight.shape for weight in nets[name]]
        if found != wanted:
            first = next((pair for pair in zip(found, wanted, strict=False) if pair[0] != pair[1]), None)
            raise UsageError(
                f"cannot average with '{name}': it is another net",
                details={"got": f"{first[0]}, wanted {first[1]}" if first else f"{len(found)} weights"},
            )
    parts = [[share * weight for weight in nets[name]] for name, share in shares.items()]
    return Average(1 - sum(shares.values()), tuple(sum(group[1:], group[0]) for group in zip(*parts, strict=True)))
