"""Which layer gets how many bits: the least loss that fits a budget of bytes, exactly.

    minimize  sum_i s_i(b_i)   subject to   sum_i m_i(b_i) <= M

with s_i(b) the sensitivity of layer i at b bits and m_i(b) its bytes. This is a multiple-choice knapsack problem; it is
solved by dynamic programming over the bytes, not approximated. Source of the problem: arXiv 2406.05359, section 4,
which tries all combinations of widths over four groups of layers; every layer on its own and the exact solution are
ours. Source of the algorithm: H. Kellerer, U. Pferschy, D. Pisinger, Knapsack Problems, 2004, section 11.5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.net import read_net
from edge_sv.errors import DataError, UsageError


@dataclass(frozen=True)
class Choice:
    """One width that a layer could have.

    Args:
        bits: of a weight.
        sensitivity: what the net loses by it.
        bytes: what the layer then takes.
    """

    bits: int
    sensitivity: float
    bytes: int


@dataclass(frozen=True)
class LayerWidth:
    """A layer's place in the plan.

    Args:
        layer: its name.
        chosen: its width.
        choices: all widths it could have, ascending.
    """

    layer: str
    chosen: Choice
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class BitAllocation:
    """The widths of a net's layers under a budget.

    Args:
        layers: those that have a choice, in the net's order.
        fixed: bytes of all other weights.
        budget: bytes that all weights may take.
        method: how sensitivities were measured, and on what.
    """

    layers: tuple[LayerWidth, ...]
    fixed: int
    budget: int
    method: str

    @property
    def bits(self) -> dict[str, int]:
        """Layer -> bits."""
        return {layer.layer: layer.chosen.bits for layer in self.layers}

    @property
    def total_bytes(self) -> int:
        """Bytes of all weights."""
        return self.fixed + sum(layer.chosen.bytes for layer in self.layers)

    @property
    def sensitivity(self) -> float:
        """Sum of the chosen widths' sensitivities."""
        return sum(layer.chosen.sensitivity for layer in self.layers)

    def describe(self) -> str:
        """Say it in a line: how many layers have which width, and the bytes."""
        counts = sorted(Counter(self.bits.values()).items())
        widths = ", ".join(f"{count} with {bits} bits" for bits, count in counts)
        return f"layers: {widths}; weights {self.total_bytes:,} of {self.budget:,} bytes"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BitAllocation:
        """Read what `to_dict` wrote.

        Raises:
            DataError: it is something else.
        """
        try:
            layers = tuple(
                LayerWidth(row["layer"], Choice(**row["chosen"]), tuple(Choice(**choice) for choice in row["choices"]))
                for row in values["layers"]
            )
            return cls(layers, int(values["fixed"]), int(values["budget"]), str(values["method"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("the allocation of bits is damaged", details={"got": str(error)}) from error


def read_bit_allocation(net: Path) -> BitAllocation | None:
    """Return the allocation by which a net's folder was compressed; None when there was none.

    Raises:
        DataError: the net's description cannot be read.
    """
    stated = read_net(net).provenance.get("widths")
    return BitAllocation.from_dict(stated) if stated else None


def allocate(choices: Mapping[str, Sequence[Choice]], *, fixed: int, budget: int, method: str) -> BitAllocation:
    """Choose each layer's width.

    Of plans with equal loss the one with fewer bytes is taken, of those the one that gives later layers fewer bits.

    Args:
        choices: layer -> widths, at least one each.
        fixed: bytes of the weights that have no choice.
        budget: bytes for all weights.
        method: see `BitAllocation`.

    Raises:
        UsageError: even the smallest widths take more than the budget.
    """
    rows = {layer: sorted(found, key=lambda choice: choice.bits) for layer, found in choices.items()}
    floor, ceiling = (fixed + sum(pick(c.bytes for c in row) for row in rows.values()) for pick in (min, max))
    if budget < floor:
        raise UsageError(
            f"a budget of {budget:,} bytes is below what the weights take at the fewest bits",
            details={"floor": f"{floor:,} bytes, of which {fixed:,} have no choice", "ceiling": f"{ceiling:,} bytes"},
            hint="give a larger --budget, or a recipe with fewer bits",
        )
    chosen = _solve(list(rows.values()), min(budget, ceiling) - floor)
    layers = tuple(LayerWidth(name, row[n], tuple(row)) for (name, row), n in zip(rows.items(), chosen, strict=True))
    return BitAllocation(layers, fixed, budget, method)


def _solve(rows: Sequence[Sequence[Choice]], spare: int) -> list[int]:
    """Return the index of each row's choice; `spare`: bytes above every row's least.

    After row i, `loss[m]` is the least sum of the rows up to i with m units of spare bytes or fewer.
    """
    extra = [[choice.bytes - min(c.bytes for c in row) for choice in row] for row in rows]
    unit = int(np.gcd.reduce([1 << 30, *(cost for row in extra for cost in row)]))
    loss: npt.NDArray[np.float64] = np.zeros(spare // unit + 1)
    taken = []
    for row, costs in zip(rows, extra, strict=True):
        options = np.full((len(row), len(loss)), np.inf)
        for n, (choice, cost) in enumerate(zip(row, costs, strict=True)):
            units = cost // unit
            if units < len(loss):
                options[n, units:] = loss[: len(loss) - units] + choice.sensitivity
        taken.append(np.argmin(options, axis=0).astype(np.uint8))
        loss = options.min(axis=0)
    place, chosen = int(np.argmin(loss)), []
    for numbers, costs in zip(reversed(taken), reversed(extra), strict=True):
        chosen.append(int(numbers[place]))
        place -= costs[chosen[-1]] // unit
    return chosen[::-1]
