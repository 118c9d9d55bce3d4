"""The allocation is the best there is, and says clearly when there is none."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError, UsageError
from edge_sv.recipes.bit_allocation import BitAllocation, Choice, allocate, read_bit_allocation
from tests.nets import make_float_net

FIXED = 77


def random_choices(seed: int, layers: int = 6, widths: tuple[int, ...] = (2, 3, 4, 8)) -> dict[str, list[Choice]]:
    """Make layers of random sizes: more bits, more bytes, mostly a smaller loss."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(20, 400, layers)
    return {
        f"layer{n}": [Choice(b, float(rng.exponential(2.0**-b)), int(size * b // 8 + rng.integers(9))) for b in widths]
        for n, size in enumerate(sizes)
    }


def best_by_trying_all(choices: dict[str, list[Choice]], budget: int) -> float:
    combinations = itertools.product(*choices.values())
    fitting = (row for row in combinations if FIXED + sum(choice.bytes for choice in row) <= budget)
    return min(sum(choice.sensitivity for choice in row) for row in fitting)


def bounds(choices: dict[str, list[Choice]]) -> tuple[int, int]:
    floor, ceiling = (FIXED + sum(pick(c.bytes for c in row) for row in choices.values()) for pick in (min, max))
    return floor, ceiling


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99, 1.0, 1.5])
def test_no_combination_that_fits_loses_less(seed: int, share: float) -> None:
    choices = random_choices(seed)
    floor, ceiling = bounds(choices)
    budget = int(floor + share * (ceiling - floor))
    plan = allocate(choices, fixed=FIXED, budget=budget, method="test")
    assert plan.total_bytes <= budget
    assert plan.sensitivity == pytest.approx(best_by_trying_all(choices, budget))
    assert plan.total_bytes == FIXED + sum(layer.chosen.bytes for layer in plan.layers)
    assert list(plan.bits) == list(choices)


def test_more_bytes_never_lose_more() -> None:
    choices = random_choices(3, layers=12)
    floor, ceiling = bounds(choices)
    losses = [
        allocate(choices, fixed=FIXED, budget=b, method="test").sensitivity for b in range(floor, ceiling + 50, 37)
    ]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses)) and losses[-1] < losses[0]


def test_of_equal_losses_the_smaller_is_taken() -> None:
    choices = {name: [Choice(2, 1.0, 10), Choice(4, 1.0, 20)] for name in "ab"}
    assert allocate(choices, fixed=0, budget=100, method="test").bits == {"a": 2, "b": 2}
    tied = {name: [Choice(2, 1.0, 10), Choice(4, 0.0, 20)] for name in "ab"}
    assert allocate(tied, fixed=0, budget=30, method="test").bits == {"a": 4, "b": 2}


def test_a_budget_below_the_floor_names_floor_and_ceiling() -> None:
    choices = random_choices(1)
    floor, ceiling = bounds(choices)
    with pytest.raises(UsageError, match=f"budget of {floor - 1:,} bytes") as caught:
        allocate(choices, fixed=FIXED, budget=floor - 1, method="test")
    assert f"{floor:,}" in str(caught.value) and f"{ceiling:,}" in str(caught.value) and f"{FIXED}" in str(caught.value)
    assert allocate(choices, fixed=FIXED, budget=floor, method="test").total_bytes == floor


def test_a_plan_of_a_hundred_layers_is_exact_and_quick() -> None:
    """Against the bound that linear relaxation gives: an exact answer is within one layer's step of it."""
    choices = random_choices(5, layers=100)
    floor, ceiling = bounds(choices)
    plan = allocate(choices, fixed=FIXED, budget=(floor + ceiling) // 2, method="test")
    assert plan.total_bytes > (floor + ceiling) // 2 - 400
    for price in np.geomspace(1e-8, 1e-2, 200):
        bound = sum(min(c.sensitivity + price * c.bytes for c in row) for row in choices.values())
        assert plan.sensitivity >= bound - price * (plan.budget - FIXED) - 1e-12


def test_a_plan_survives_json() -> None:
    plan = allocate(random_choices(2), fixed=FIXED, budget=10_000, method="hessian, 48 crops")
    assert BitAllocation.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@pytest.mark.parametrize("damage", [{}, {"layers": [{}]}, {"layers": 3, "fixed": 1, "budget": 1, "method": ""}])
def test_something_else_is_no_plan(damage: dict[str, object]) -> None:
    with pytest.raises(DataError, match="allocation of bits"):
        BitAllocation.from_dict(damage)


def test_the_allocation_is_read_from_a_net(tmp_path: Path) -> None:
    plan = allocate(random_choices(2), fixed=FIXED, budget=10_000, method="test")
    net = make_float_net(tmp_path)
    about = json.loads((net / "net.json").read_text())
    assert read_bit_allocation(net) is None
    (net / "net.json").write_text(json.dumps({**about, "provenance": {"widths": plan.to_dict()}}))
    assert read_bit_allocation(net) == plan
    (net / "net.json").write_text("{")
    with pytest.raises(DataError, match=r"net\.json"):
        read_bit_allocation(net)
