"""Mixed precision: plans that fit, stages in the paper's order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from edge_sv.compress.mixed import divide_epochs, mixed_method, plan_widths
from edge_sv.compress.net_bytes import net_bytes
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import load_net
from edge_sv.plugins.weight_bytes import total_bytes
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.reading import parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe
from tests.nets import FEATURES, SEGMENTS, make_float_net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> tf_keras.Model:
    return load_net(make_float_net(tmp_path_factory.mktemp("nets") / "tiny"))[0]


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    shape = (16, SEGMENTS.frames, FEATURES.num_mels, 1)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def recipe(bits: tuple[int, ...] = (2, 4, 8), mean: float = 4, most: int = 8, **mixed: object) -> CompressionRecipe:
    rules = [
        {"match": "*", "weights": most, "quantizer": "kmeans"},
        {"match": "stem*", "weights": 8},
    ]
    values = {"name": "mine", "description": "", "rules": rules, "mixed": {"bits": bits, "mean_bits": mean, **mixed}}
    return parse_recipe(values, source="test")


class Planner:
    def __init__(self, net: tf_keras.Model, crops: np.ndarray, cache: Path) -> None:
        self.net, self.crops, self.cache = net, crops, cache
        self.steps: list[int] = []

    def __call__(self, wanted: CompressionRecipe) -> BitAllocation:
        return plan_widths(
            self.net,
            wanted,
            self.crops,
            source="noise",
            cache=self.cache,
            progress=lambda done, *_: self.steps.append(done),
        )


@pytest.fixture
def plan(net: tf_keras.Model, crops: np.ndarray, cache: Path) -> Planner:
    return Planner(net, crops, cache)


@pytest.mark.parametrize("sensitivity", ["hessian", "embedding"])
def test_a_plan_fits_and_is_the_trained_form(net: tf_keras.Model, plan: Planner, sensitivity: str) -> None:
    """The bytes that were planned are the bytes of the rounded net."""
    wanted = recipe(sensitivity=sensitivity)
    widths = plan(wanted)
    four = [sum(choice.bytes for choice in layer.choices if choice.bits == 4) for layer in widths.layers]
    assert widths.budget == widths.fixed + sum(four) and 0.9 * widths.budget < widths.total_bytes <= widths.budget
    assert "stem_conv" not in widths.bits and set(widths.bits.values()) <= {2, 4, 8}
    form = mixed_method(net, wanted, widths, epochs=3)
    copy = tf_keras.models.clone_model(net)
    extras = form.finish(copy, net.get_weights())
    assert {name: palette.bits for name, palette in extras.palettes.items()} == {
        name: bits for name, bits in widths.bits.items() if bits < 8
    }
    assert total_bytes(net_bytes(copy, extras.palettes).values()) == widths.total_bytes
    assert extras.provenance["widths"] == widths.to_dict() and sensitivity in widths.method


def test_other_budgets_and_widths_need_no_new_search(plan: Planner, cache: Path) -> None:
    plan(recipe())
    notes = {path: path.read_bytes() for path in cache.glob("sensitivity-*.json")}
    small, large = plan(recipe(mean=2.5)), plan(recipe(mean=7))
    plan(recipe(bits=(2, 3, 4), most=4, mean=2.5))
    assert {path: path.read_bytes() for path in cache.glob("sensitivity-*.json")} == notes
    assert small.total_bytes < large.total_bytes and small.sensitivity > large.sensitivity


def test_a_rule_holds_its_layers_to_its_bits(net: tf_keras.Model, plan: Planner) -> None:
    values = recipe(mean=7.5).to_dict()
    values["rules"] = [*values["rules"], {"match": "embedding", "weights": 2, "quantizer": "kmeans"}]
    widths = plan(parse_recipe({k: v for k, v in values.items() if v is not None}, source="test"))
    assert widths.bits["embedding"] == 2 and max(widths.bits.values()) > 2


@pytest.mark.parametrize(("budget", "words"), [(900, "below what the weights take"), (10**7, "at 8 bits")])
def test_a_budget_that_means_nothing(plan: Planner, budget: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan(recipe().with_budget(budget))


@pytest.mark.parametrize(
    ("widths", "epochs", "expected"),
    [
        ([2, 4], 4, (2, 2, 4, 4)),
        ([2, 3, 4], 4, (2, 3, 4, 4)),
        ([2, 3, 4], 9, (2, 2, 2, 3, 3, 3, 4, 4, 4)),
        ([1, 2, 3, 4], 8, (1, 2, 3, 4, 4, 4, 4, 4)),
        ([2, 3, 4], 2, (3, 4)),
        ([2, 3, 4], 1, (4,)),
        ([2], 3, (2, 2, 2)),
        ([2, 4], 0, ()),
    ],
)
def test_epochs_are_divided(widths: list[int], epochs: int, expected: tuple[int, ...]) -> None:
    assert divide_epochs(widths, epochs) == expected


@pytest.mark.parametrize("widths", range(1, 5))
@pytest.mark.parametrize("epochs", range(1, 20))
def test_the_last_stage_has_a_third_of_the_epochs(widths: int, epochs: int) -> None:
    stages = divide_epochs(list(range(1, widths + 1)), epochs)
    assert len(stages) == epochs and list(stages) == sorted(stages)
    assert 3 * stages.count(widths) >= epochs


def test_each_stage_rounds_the_layers_up_to_its_width(net: tf_keras.Model, plan: Planner, crops: np.ndarray) -> None:
    """What the training net computes in a stage is what the plain net computes with those layers rounded by hand."""
    wanted = recipe(bits=(2, 3, 4), most=4, mean=2.5)
    found = plan(wanted)
    layers = tuple(replace(layer, chosen=layer.choices[n % 3]) for n, layer in enumerate(found.layers))
    widths = replace(found, layers=layers)
    form = mixed_method(net, wanted, widths, epochs=3)
    twin = form.trainable(net)
    copy = tf_keras.models.clone_model(net)
    palettes = form.finish(copy, net.get_weights()).palettes
    for epoch, limit in enumerate((2, 3, 4)):
        assert form.begin_epoch(epoch) is True
        copy.set_weights(net.get_weights())
        for name, bits in widths.bits.items():
            if bits <= limit:
                copy.get_layer(name).kernel.assign(palettes[name].weights())
        np.testing.assert_allclose(twin(crops), copy(crops), atol=1e-4)
        complete = form.finish(copy, net.get_weights()).figures
        assert complete == {"rounded_bits": limit, "complete": float(epoch == 2)}
    assert form.begin_epoch(2) is False and form.begin_epoch(0) is True
