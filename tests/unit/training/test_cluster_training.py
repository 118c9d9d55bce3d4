"""Weight clustering as a training run: two halves, and a kill between or within them that changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.activation_ranges import load_ranges
from edge_sv.artifacts.palette import load_palettes
from edge_sv.embedders import KerasEmbedder
from edge_sv.frontend.segments import SegmentRule
from edge_sv.recipes.reading import load_recipe
from edge_sv.training.bank import Progress
from edge_sv.training.config import TrainConfig

pytest.importorskip("tensorflow_model_optimization", reason="pip install 'edge-sv[train]'")
from edge_sv.models.checkpoint import NetDescription, build_net, load_net, net_config, save_net
from edge_sv.training.compress_net import compress_net
from edge_sv.training.fit import read_history

RECIPE = """
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


class Killed(Exception):
    """Stands for a kill."""


def until(last_step: int) -> Progress:
    """Return a progress function that kills the run after some steps."""

    def progress(done: int, _total: int, what: str) -> None:
        if what.startswith("epoch") and done > last_step:
            raise Killed

    return progress


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory, config: TrainConfig) -> Path:
    description = NetDescription(
        name=config.name,
        family=config.net.family,
        config=net_config(config.net.family, config.net.config),
        features=config.front_end,
        segments=SegmentRule(config.segments.frames, config.segments.hop_frames),
        provenance={"training": json.loads(config.model_dump_json())},
    )
    folder = tmp_path_factory.mktemp("float") / config.name
    save_net(folder, description, build_net(description))
    return folder


def compress(net: Path, corpus: Path, folder: Path, *, last_step: int = 1000) -> Path:
    folder.mkdir(exist_ok=True)
    recipe = folder / "mine.toml"
    recipe.write_text(RECIPE)
    compress_net(
        net,
        load_recipe(str(recipe)),
        data=corpus,
        out=folder / "out",
        origin="abc",
        open_teacher=KerasEmbedder,
        find_net=Path,
        cache=net.parent / "cache",
        progress=until(last_step),
    )
    return folder / "out"


@pytest.fixture(scope="module")
def compressed(float_net: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(float_net, corpus, tmp_path_factory.mktemp("runs") / "whole")


def test_the_net_of_the_second_half_is_kept(compressed: Path) -> None:
    rows = read_history(compressed)
    assert [row["complete"] for row in rows] == [0, 0, 1, 1]
    _, description = load_net(compressed)
    assert description.provenance["epoch"] in (3, 4)


def test_it_holds_its_clusters_and_its_ranges(compressed: Path, float_net: Path) -> None:
    model, _ = load_net(compressed)
    palettes = load_palettes(compressed)
    assert len(palettes["stem_conv"].codebook) == 255
    for name in set(palettes) - {"stem_conv"}:
        kernel = model.get_layer(name).kernel.numpy()
        assert palettes[name].bits == 3 and 2 <= len(np.unique(kernel)) <= 6
        before = load_net(float_net)[0].get_layer(name).kernel.numpy()
        assert np.corrcoef(kernel.ravel(), before.ravel())[0, 1] > 0.7
    assert len(load_ranges(compressed)) > 5


@pytest.mark.parametrize("last_step", [3, 5], ids=["within the first half", "within the second half"])
def test_a_killed_run_goes_on_to_the_same_net(
    compressed: Path, float_net: Path, corpus: Path, tmp_path: Path, last_step: int
) -> None:
    with pytest.raises(Killed):
        compress(float_net, corpus, tmp_path / "killed", last_step=last_step)
    again = compress(float_net, corpus, tmp_path / "killed")
    for name in ("palettes.npz", "weights.npz", "ranges.npz"):
        assert (again / name).read_bytes() == (compressed / name).read_bytes(), name
