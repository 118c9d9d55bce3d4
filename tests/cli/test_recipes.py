"""`edge-sv recipes` as a user runs it: what they are, and what is wrong with one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import KMEANS, Run


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([KMEANS, KMEANS.replace("4", "2")], ["contradicts an earlier rule", "rule 2", "remove one of the two"]),
        ([KMEANS.replace("4", "9")], ["rules.0.weights", "got 9"]),
        ([KMEANS.replace("weights", "weight")], ["rules.0.weight ", "did you mean 'weights'?"]),
        ([KMEANS.replace("kmeans", "kmean")], ["did you mean 'kmeans'"]),
        ([KMEANS.replace("kmeans", "powers_of_two").replace("4", "6")], ["'powers_of_two' has no 6 bits", "2, 3, 4"]),
        (['match = "*"\nweights = 4'], ["needs a quantizer for 4 bits", "kmeans"]),
        ([], ["rules", "is missing"]),
    ],
)
def test_recipes_that_cannot_be(run: Run, recipe: Callable[..., Path], rules: list[str], told: list[str]) -> None:
    result = run("recipes", recipe(*rules))
    assert result.code == 2 and result.out == ""
    assert [text for text in told if text not in result.err] == []


def test_a_recipe_that_is_not_toml(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = \n")
    result = run("recipes", path)
    assert result.code == 3 and f"cannot read {path}" in result.err and "line 1" in result.err


def test_lists_and_explains_the_bundled_ones(run: Run) -> None:
    listed = run("recipes", "--json").document["recipes"]
    assert {"static_wi8_ai8", "palette_w4_ai8", "binary_w1_ai8"} <= {each["name"] for each in listed}
    ran = run("recipes", "palette_w4_ai8")
    assert ran.code == 0 and "k-means" in ran.out and "kmeans" in ran.out


def test_an_unknown_one(run: Run) -> None:
    ran = run("recipes", "palete_w4_ai8")
    assert ran.code == 2 and "did you mean 'palette_w4_ai8'?" in ran.err
