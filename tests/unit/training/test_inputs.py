"""What a run reads is looked at before anything is computed: a mistake shows at once, with its place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import DataError, EdgeSvError, UsageError
from edge_sv.training.config import TrainConfig
from edge_sv.training.inputs import Inputs, find_material


@pytest.fixture
def inputs(corpus: Path, tmp_path: Path) -> Inputs:
    def find(name: str) -> Path:
        raise UsageError(f"there is no net '{name}'")

    return Inputs(data=corpus, reference=None, open_teacher=KerasEmbedder, find_net=find, cache=tmp_path / "cache")


def changed(config: TrainConfig, section: str, **values: Any) -> TrainConfig:
    if section == "":
        return config.model_copy(update=values)
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def test_everything_is_found_and_nothing_is_read(config: TrainConfig, inputs: Inputs) -> None:
    material = find_material(config, inputs)
    assert len({utterance.speaker for utterance in material.utterances}) > 1
    assert all(utterance.path.is_file() for utterance in material.utterances)
    assert [dev.name for dev in material.dev_lists] and all(len(dev.trials) for dev in material.dev_lists)
    assert material.features == config.front_end
    assert not inputs.cache.exists()


def test_lists_and_noise_are_named_below_the_data(inputs: Inputs, corpus: Path) -> None:
    assert inputs.root == corpus
    assert dataclasses.replace(inputs, data=corpus / "index.csv").root == corpus


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("net", {"init": "my-net"}, "there is no net 'my-net'"),
        ("net", {"init": "reference"}, "uses the reference net"),
        ("loss", {"teachers": ("reference",)}, "uses the reference net"),
        ("loss", {"teachers": ("other",), "teacher_weight": 1.0}, "there is no net 'other'"),
        ("", {"corpus_weights": {"no such corpus": 1.0}}, "no such corpus"),
        ("validation", {"trials": ("nowhere.txt",)}, "nowhere.txt"),
        ("augment", {"noise": "no noise here"}, "no noise here"),
    ],
)
def test_what_is_not_there_is_named(
    config: TrainConfig, inputs: Inputs, section: str, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(EdgeSvError, match=words):
        find_material(changed(config, section, **values), inputs)


def test_the_reference_net_teaches_no_crops(config: TrainConfig, inputs: Inputs) -> None:
    teaching = changed(config, "loss", teachers=("reference",), crop_weight=1.0)
    with pytest.raises(UsageError, match="teach crops or frames"):
        find_material(teaching, dataclasses.replace(inputs, reference=Path("weights.npz")))


def test_a_corpus_that_is_not_there(config: TrainConfig, inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing"):
        find_material(config, dataclasses.replace(inputs, data=tmp_path / "nothing"))
