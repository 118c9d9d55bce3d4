"""Configurations: the repository's own are valid; anything wrong is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.models.checkpoint import net_config
from edge_sv.training.config import TrainConfig, read_config
from tests.corpora import CONFIG

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_repositorys_configurations_are_valid(path: Path) -> None:
    run = read_config(path)
    assert run.name == path.stem
    assert net_config(run.net.family, run.net.config)
    assert run.front_end.num_mels == 80


def test_there_are_configurations() -> None:
    assert {"resnet-thin", "resnet-nano", "ecapa-small"} <= {path.stem for path in CONFIGS}


def test_what_is_not_given_has_a_default(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text('name = "x"\n')
    run = read_config(tmp_path / "net.toml")
    assert run == TrainConfig(name="x")
    assert run.front_end == FeatureConfig()


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("seed = 3", "sead = 3", "sead", "unknown key"),
        ("seed = 3", "seed = 4294967296", "seed", "got 4294967296"),
        ("copies = 1", "copys = 1", "augment.copys", "unknown key"),
        ("copies = 1", "copies = -1", "augment.copies", "got -1"),
        ("speeds = [0.9, 1.0]", "speeds = []", "augment.speeds", "at least 1"),
        ("speeds = [0.9, 1.0]", "speeds = [0.0]", "augment.speeds.0", "got 0.0"),
        ("copies = 1", "snr_db = [20, 0]", "augment.snr_db", "the lower end comes first"),
        ("copies = 1", "clean_share = 1.5", "augment.clean_share", "got 1.5"),
        ("epochs = 2", "epochs = 0", "optimizer.epochs", "got 0"),
        ("batch_size = 8", 'batch_size = "many"', "optimizer.batch_size", "got 'many'"),
        ("batch_size = 8", 'precision = "float8"', "optimizer.precision", "mixed_bfloat16"),
        ("learning_rate = 0.01", "learning_rate = nan", "optimizer.learning_rate", "got nan"),
        ("frames = 40", "frames = 0", "segments.frames", "got 0"),
        ("num_mels = 16", "num_mels = 0", "features", "num_mels must be at least 1"),
        ("num_mels = 16", "num_bells = 16", "features", "num_bells"),
        ("[optimizer]", "[loss]\naam_weight = 0\n[optimizer]", "loss", "nothing to learn"),
        ("[optimizer]", '[loss]\nteachers = ["x"]\n[optimizer]', "loss", "teacher_weight is 0"),
        ("[optimizer]", "[loss]\nframe_weight = 1\n[optimizer]", "loss", "none are named"),
        ("[optimizer]", "[loss]\ncrop_weight = -1\n[optimizer]", "loss.crop_weight", "got -1"),
        ('name = "tiny"', 'name = "../tiny"', "name", "got '../tiny'"),
        ('name = "tiny"', "", "name", "is missing"),
        ("seed = 3", "corpus_weights = { aa = 0.0 }", "corpus_weights", "weight above 0"),
        ("seed = 3", "corpus_weights = { aa = -1.0 }", "corpus_weights.aa", "got -1.0"),
        ("seed = 3", "average = { start = 0.5, other = 0.5 }", "average", "leave one for the run's own"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    assert old in CONFIG
    path = tmp_path / "net.toml"
    path.write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert caught.value.message == f"{path} is not a training configuration"
    assert words in caught.value.details[place]


@pytest.mark.parametrize("data", [b"name = ", b'name = "\xff"', None])
def test_what_is_not_toml_is_told(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "net.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=r"cannot read .*net\.toml"):
        read_config(path)


@pytest.mark.parametrize(
    ("family", "values", "words"),
    [
        ("resnet", {"stem_chanels": 4}, "did you mean 'stem_channels'?"),
        ("resnet", {"stem_channels": "wide"}, "stem_channels"),
        ("resnet", {"stage_channels": [4, "x"]}, "stage_channels.1"),
        ("resnet", {"stage_channels": [4]}, "one value per stage"),
        ("resnet", {"downsample": ["none", "none", "none", "nine"]}, "downsample.3"),
        ("ecapa_tdnn", {"channels": 10, "res2net_scale": 4}, "cannot be split"),
        ("resnext", {}, "did you mean 'resnet'?"),
    ],
)
def test_impossible_nets_are_told(family: str, values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        net_config(family, values)
    assert words in str(caught.value)
