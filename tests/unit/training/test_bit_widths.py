"""Mixed precision from a budget to a net, killed and resumed on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.artifacts.palette import load_palettes
from edge_sv.compress.mixed import divide_epochs
from edge_sv.compress.net_bytes import net_bytes
from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import load_description, load_net
from edge_sv.plugins.weight_bytes import total_bytes
from edge_sv.recipes.bit_allocation import BitAllocation, read_bit_allocation
from edge_sv.recipes.reading import load_recipe
from edge_sv.training.bit_widths import CROPS, cut_speech, find_bit_allocation
from edge_sv.training.compress_net import compress_net
from edge_sv.training.fit import read_history
from edge_sv.training.history import best_row
from tests.corpora import make_corpus
from tests.nets import make_float_net

RECIPE = """
name = "mine"
description = "a test"

[[rules]]
match = "*"
weights = 4
quantizer = "kmeans"

[[rules]]
match = "stem*"
weights = 8

[mixed]
bits = [2, 3, 4]
mean_bits = 2.5
"""
TUNING = "[fine_tuning]\nepochs = 4\nsteps_per_epoch = 2\nlearning_rate = 1e-3\n"


def quiet(_done: int, _total: int, _what: str) -> None:
    """Report nothing."""


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Compress:
    """Compresses the float net under one recipe."""

    def __init__(self, net: Path, corpus: Path, cache: Path, folder: Path) -> None:
        self.net, self.corpus, self.cache, self.folder = net, corpus, cache, folder

    def __call__(
        self,
        text: str = RECIPE + TUNING,
        *,
        data: bool = True,
        out: str = "out",
        budget: int | None = None,
        progress: Callable[[int, int, str], None] = quiet,
    ) -> Path:
        recipe = self.folder / "mine.toml"
        recipe.write_text(text)
        compress_net(
            self.net,
            load_recipe(str(recipe)).with_budget(budget),
            data=self.corpus if data else None,
            out=self.folder / out,
            origin="abc",
            open_teacher=KerasEmbedder,
            find_net=Path,
            cache=self.cache,
            progress=progress,
        )
        return self.folder / out


@pytest.fixture(scope="module")
def whole(float_net: Path, corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that was compressed without interruption."""
    return Compress(float_net, corpus, cache, tmp_path_factory.mktemp("mixed"))()


@pytest.fixture
def compress(float_net: Path, corpus: Path, cache: Path, tmp_path: Path) -> Compress:
    return Compress(float_net, corpus, cache, tmp_path)


def assert_kept(out: Path, widths: BitAllocation | None) -> BitAllocation:
    """Compare what a compressed net is with the plan that it tells."""
    assert widths is not None
    palettes = load_palettes(out)
    assert {name: palette.bits for name, palette in palettes.items()} == widths.bits
    assert total_bytes(net_bytes(load_net(out)[0], palettes).values()) <= widths.total_bytes <= widths.budget
    return widths


def test_narrow_layers_train_first_and_the_whole_net_is_kept(whole: Path) -> None:
    widths = assert_kept(whole, read_bit_allocation(whole))
    used = sorted(set(widths.bits.values()))
    assert "training speech" in widths.method and len(used) > 1
    history = read_history(whole)
    stages = divide_epochs(used, 4)
    assert [row["rounded_bits"] for row in history] == list(stages)
    assert [row["complete"] for row in history] == [float(stage == used[-1]) for stage in stages]
    assert load_description(whole).provenance["epoch"] == best_row(history)["epoch"]
    assert best_row(history)["complete"] == 1


def test_an_early_stage_is_never_the_best() -> None:
    rows = [{"epoch": 1, "loss": 0.1, "complete": 0.0}, {"epoch": 2, "loss": 0.5, "complete": 1.0}]
    assert best_row(rows)["epoch"] == 2 and best_row(rows[:1])["epoch"] == 1


@pytest.mark.parametrize(("what", "count"), [("sensitivity", 3), ("epoch 3", 5)])
def test_killed_anywhere_it_goes_on_with_the_same_result(
    compress: Compress, whole: Path, tmp_path: Path, what: str, count: int
) -> None:
    def kill(done: int, _total: int, step: str) -> None:
        if step == what and done >= count:
            raise KeyboardInterrupt

    compress.cache = compress.cache if what.startswith("epoch") else tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        compress(out="killed", progress=kill)
    killed = compress(out="killed")
    for name in ("palettes.npz", "weights.npz"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert read_bit_allocation(killed) == read_bit_allocation(whole)


def test_without_training_voices_suffice_for_any_budget(compress: Compress) -> None:
    wide, narrow = (compress(RECIPE, data=False, out=str(n), budget=n) for n in (4000, 2900))
    plans = [assert_kept(out, read_bit_allocation(out)) for out in (wide, narrow)]
    assert [plan.budget for plan in plans] == [4000, 2900] and plans[0].sensitivity < plans[1].sensitivity
    assert "synthetic voices" in plans[0].method


def test_a_budget_for_a_recipe_without_one(compress: Compress) -> None:
    rules = RECIPE.partition("[mixed]")[0]
    with pytest.raises(UsageError, match="'mine' has no budget"):
        compress(rules, data=False, budget=2500)


def test_a_plan_needs_no_corpus(float_net: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    plan = find_bit_allocation(float_net, load_recipe(str(recipe)), data=None, cache=tmp_path, progress=quiet)
    assert plan.total_bytes <= plan.budget and set(plan.bits.values()) <= {2, 3, 4}


def test_crops_are_of_as_many_speakers_as_there_are(float_net: Path, tmp_path: Path) -> None:
    from edge_sv.training.corpus import read_corpus

    description = load_description(float_net)
    utterances = read_corpus(make_corpus(tmp_path / "corpus"))
    crops = cut_speech(utterances, description)
    frames, mels = description.segments.frames, description.features.num_mels
    assert crops.shape == (min(CROPS, len(utterances)), frames, mels, 1)
