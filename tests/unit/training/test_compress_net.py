"""Compression by a recipe: fine-tuned on a tiny corpus, or rounded without data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.activation_ranges import load_ranges
from edge_sv.artifacts.palette import load_palettes
from edge_sv.compress.mixed import divide_epochs
from edge_sv.compress.net_bytes import net_bytes
from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import load_description, load_net
from edge_sv.plugins.weight_bytes import total_bytes
from edge_sv.recipes.bit_allocation import BitAllocation, read_bit_allocation
from edge_sv.recipes.reading import load_recipe
from edge_sv.training.compress_net import compress_net
from edge_sv.training.config import TrainConfig
from edge_sv.training.fit import read_history, train
from edge_sv.training.history import best_row
from edge_sv.training.inputs import Inputs
from tests.nets import make_float_net

pytest.importorskip("tensorflow_model_optimization", reason="pip install 'edge-sv[train]'")

RULES = """
name = "mine"
description = "a test"

[[rules]]
match = "*"
weights = 2
quantizer = "kmeans"

[[rules]]
match = "stem*"
weights = 8
"""
TUNING = "[fine_tuning]\nepochs = 2\nsteps_per_epoch = 2\nlearning_rate = 1e-2\n"


def quiet(_done: int, _total: int, _what: str) -> None:
    """Report nothing."""


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory, corpus: Path, config: TrainConfig) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    cache = tmp_path_factory.mktemp("cache")
    inputs = Inputs(corpus, None, lambda name: KerasEmbedder(Path(name)), Path, cache)
    train(config, inputs, out, progress=quiet, on_epoch=lambda *_: None)
    return out


class Compress:
    """Compresses a float net by the recipe that a test writes."""

    def __init__(self, net: Path, corpus: Path, folder: Path, cache: Path | None = None) -> None:
        self.net, self.corpus, self.folder = net, corpus, folder
        self.cache = cache or folder / "cache"

    def __call__(
        self,
        text: str,
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


class Killed(Exception):
    """Stands for a kill."""


def kill_at(step: str, count: int) -> Callable[[int, int, str], None]:
    """Return a progress function that kills the run at a count of the steps whose names begin so."""

    def progress(done: int, _total: int, what: str) -> None:
        if what.startswith(step) and done >= count:
            raise Killed

    return progress


@pytest.fixture
def compress(float_net: Path, corpus: Path, tmp_path: Path) -> Compress:
    return Compress(float_net, corpus, tmp_path)


def test_a_fine_tuned_net_holds_its_palettes(compress: Compress) -> None:
    out = compress(RULES + TUNING)
    model, description = load_net(out)
    palettes = load_palettes(out)
    before, _ = load_net(compress.net)
    assert set(palettes) == {layer.name for layer in model.layers if hasattr(layer, "kernel")} - {"stem_conv"}
    for name, palette in palettes.items():
        kernel = model.get_layer(name).kernel.numpy()
        np.testing.assert_array_equal(kernel, palette.weights())
        assert all(len(np.unique(kernel[..., o])) <= 4 for o in range(kernel.shape[-1]))
        assert not np.allclose(kernel, before.get_layer(name).kernel.numpy(), atol=1e-3)
    assert description.provenance["compressed_from"] == "abc"
    assert description.provenance["recipe"]["rules"][0]["weights"] == 2
    assert "stem_conv/kernel" in np.load(out / "weights.npz") and "embedding/kernel" not in np.load(out / "weights.npz")


def test_training_under_compression_moves_the_weights(compress: Compress) -> None:
    rounded = compress(RULES, data=False, out="rounded")
    tuned = compress(RULES + TUNING, out="tuned")
    one, other = (load_palettes(folder)["embedding"] for folder in (rounded, tuned))
    np.testing.assert_array_equal(one.codebook, other.codebook)
    assert (one.indices != other.indices).any() or (one.scales != other.scales).any()


def test_the_same_command_goes_on_and_gives_the_same_net(compress: Compress) -> None:
    first = {path.name: path.read_bytes() for path in compress(RULES + TUNING).glob("*.npz")}
    assert {path.name: path.read_bytes() for path in compress(RULES + TUNING).glob("*.npz")} == first
    other = compress(RULES + TUNING, out="other")
    assert (other / "palettes.npz").read_bytes() == first["palettes.npz"]


def test_fine_tuning_needs_data(compress: Compress) -> None:
    with pytest.raises(UsageError, match="--data"):
        compress(RULES + TUNING, data=False)


def test_a_rule_without_a_layer_is_told_before_training(compress: Compress) -> None:
    with pytest.raises(UsageError, match="rule 1 matches no layer"):
        compress(RULES.replace('"*"', '"block9_*"') + TUNING)


DISTIL = TUNING.replace("epochs = 2\nsteps_per_epoch = 2", "epochs = 3\nsteps_per_epoch = 4") + "frame_weight = 5.0\n"


def test_the_float_net_teaches_crops_and_frames(compress: Compress, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears them in the training step, so nothing is embedded before the first one, and every loss falls."""

    def refuse(_net: Path) -> KerasEmbedder:
        raise AssertionError("whole recordings are embedded although nobody learns from them")

    monkeypatch.setattr("tests.unit.training.test_compress_net.KerasEmbedder", refuse)
    out = compress(RULES + DISTIL)
    rows = read_history(out)
    assert [set(row) & {"aam", "teacher", "crop", "frame"} for row in rows] == [{"crop", "frame"}] * 3
    for name in ("crop", "frame"):
        assert 0 < rows[-1][name] < rows[0][name]
    assert not list((compress.folder / "cache").glob("teacher-*"))
    recorded = load_net(out)[1].provenance["training"]["loss"]
    assert (recorded["crop_weight"], recorded["frame_weight"], recorded["teachers"]) == (15.0, 5.0, ["tiny"])
    kept = {path.name: path.read_bytes() for path in out.glob("*.npz")}
    compress(RULES + DISTIL, out="other")
    assert {path.name: path.read_bytes() for path in (compress.folder / "other").glob("*.npz")} == kept


def test_quantization_aware_training_leaves_palettes_and_ranges_and_goes_on(compress: Compress) -> None:
    rules = RULES.replace("weights = 2", "weights = 4").replace("kmeans", "fake_quant")
    out = compress(rules + TUNING)
    model, _ = load_net(out)
    convolutions = {layer.name for layer in model.layers if hasattr(layer, "kernel")}
    palettes, ranges = load_palettes(out), load_ranges(out)
    assert {name: palette.bits for name, palette in palettes.items()} == {
        name: 8 if name == "stem_conv" else 4 for name in convolutions
    }
    assert ranges["stem_conv_relu"][0] == 0 < ranges["stem_conv_relu"][1]
    files = ("weights.npz", "palettes.npz", "ranges.npz")
    first = {name: (out / name).read_bytes() for name in files}
    again = compress(rules + TUNING, out="other")
    assert {name: (again / name).read_bytes() for name in files} == first


CLUSTERS = """
name = "mine"
description = "a test"

[[rules]]
match = "*"
weights = 3
quantizer = "cluster"
clusters = 6

[[rules]]
match = "stem*"
weights = 8

[fine_tuning]
epochs = 4
steps_per_epoch = 2
learning_rate = 1e-2
"""


@pytest.fixture(scope="module")
def compressed(float_net: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Compress(float_net, corpus, tmp_path_factory.mktemp("clusters"))(CLUSTERS)


class TestClustering:
    """Weight clustering trains in two halves."""

    def test_the_net_of_the_second_half_is_kept(self, compressed: Path) -> None:
        rows = read_history(compressed)
        assert [row["complete"] for row in rows] == [0, 0, 1, 1]
        _, description = load_net(compressed)
        assert description.provenance["epoch"] in (3, 4)

    def test_it_holds_its_clusters_and_its_ranges(self, compressed: Path, float_net: Path) -> None:
        model, _ = load_net(compressed)
        palettes = load_palettes(compressed)
        assert len(palettes["stem_conv"].codebook) == 255 and len(palettes) > 3
        for name in set(palettes) - {"stem_conv"}:
            kernel = model.get_layer(name).kernel.numpy()
            assert palettes[name].bits == 3 and 2 <= len(np.unique(kernel)) <= 6
            before = load_net(float_net)[0].get_layer(name).kernel.numpy()
            assert np.corrcoef(kernel.ravel(), before.ravel())[0, 1] > 0.7
        assert len(load_ranges(compressed)) > 5

    @pytest.mark.parametrize("count", [4, 6], ids=["within the first half", "within the second half"])
    def test_a_killed_run_goes_on_to_the_same_net(self, compressed: Path, compress: Compress, count: int) -> None:
        with pytest.raises(Killed):
            compress(CLUSTERS, progress=kill_at("epoch", count))
        again = compress(CLUSTERS)
        for name in ("palettes.npz", "weights.npz", "ranges.npz"):
            assert (again / name).read_bytes() == (compressed / name).read_bytes(), name


def assert_kept(out: Path, widths: BitAllocation | None) -> BitAllocation:
    """Compare what a compressed net is with the plan that it tells."""
    assert widths is not None
    palettes = load_palettes(out)
    assert {name: palette.bits for name, palette in palettes.items()} == widths.bits
    assert total_bytes(net_bytes(load_net(out)[0], palettes).values()) <= widths.total_bytes <= widths.budget
    return widths


MIXED = """
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
MIXED_TUNING = "[fine_tuning]\nepochs = 4\nsteps_per_epoch = 2\nlearning_rate = 1e-3\n"


@pytest.fixture(scope="module")
def random_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture(scope="module")
def whole(random_net: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Compress:
    """The run of a net that was compressed without interruption, into `out`."""
    run = Compress(random_net, corpus, tmp_path_factory.mktemp("mixed"))
    run(MIXED + MIXED_TUNING)
    return run


class TestMixedPrecision:
    """A budget is divided among the layers, and the narrow ones train first."""

    @pytest.fixture
    def compress(self, whole: Compress, tmp_path: Path) -> Compress:
        return Compress(whole.net, whole.corpus, tmp_path, whole.cache)

    def test_narrow_layers_train_first_and_the_whole_net_is_kept(self, whole: Compress) -> None:
        out = whole.folder / "out"
        widths = assert_kept(out, read_bit_allocation(out))
        used = sorted(set(widths.bits.values()))
        assert "training speech" in widths.method and len(used) > 1
        history = read_history(out)
        stages = divide_epochs(used, 4)
        assert [row["rounded_bits"] for row in history] == list(stages)
        assert [row["complete"] for row in history] == [float(stage == used[-1]) for stage in stages]
        assert load_description(out).provenance["epoch"] == best_row(history)["epoch"]
        assert best_row(history)["complete"] == 1

    @pytest.mark.parametrize(("what", "count"), [("sensitivity", 3), ("epoch 3", 5)])
    def test_killed_anywhere_it_goes_on_with_the_same_result(
        self, compress: Compress, whole: Compress, tmp_path: Path, what: str, count: int
    ) -> None:
        compress.cache = compress.cache if what.startswith("epoch") else tmp_path / "cache"
        with pytest.raises(Killed):
            compress(MIXED + MIXED_TUNING, progress=kill_at(what, count))
        killed, out = compress(MIXED + MIXED_TUNING), whole.folder / "out"
        for name in ("palettes.npz", "weights.npz"):
            assert (killed / name).read_bytes() == (out / name).read_bytes()
        assert read_bit_allocation(killed) == read_bit_allocation(out)

    def test_without_training_voices_suffice_for_any_budget(self, compress: Compress) -> None:
        wide, narrow = (compress(MIXED, data=False, out=str(n), budget=n) for n in (4000, 2900))
        plans = [assert_kept(out, read_bit_allocation(out)) for out in (wide, narrow)]
        assert [plan.budget for plan in plans] == [4000, 2900] and plans[0].sensitivity < plans[1].sensitivity
        assert "synthetic voices" in plans[0].method

    def test_a_budget_for_a_recipe_without_one(self, compress: Compress) -> None:
        rules = MIXED.partition("[mixed]")[0]
        with pytest.raises(UsageError, match="'mine' has no budget"):
            compress(rules, data=False, budget=2500)
