"""Widths are planned on crops of speech: of a corpus's training speakers, or of the bundled voices."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.frontend.features import compute_features
from edge_sv.models.checkpoint import load_description
from edge_sv.recipes.reading import load_recipe
from edge_sv.training import bit_widths
from edge_sv.training.bit_widths import CROPS, cut_speech, find_bit_allocation
from edge_sv.training.corpus import read_corpus
from tests.corpora import make_corpus
from tests.nets import make_float_net

RECIPE = """
name = "mine"
description = "a test"

[[rules]]
match = "*"
weights = 4
quantizer = "kmeans"

[mixed]
bits = [2, 3, 4]
mean_bits = 2.5
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def quiet(_done: int, _total: int, _what: str) -> None:
    """Report nothing."""


@pytest.mark.parametrize("with_data", [False, True])
def test_a_plan_keeps_its_budget_and_says_what_it_was_made_of(
    net: Path, speech: Path, tmp_path: Path, with_data: bool
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    data = speech if with_data else None
    plan = find_bit_allocation(net, load_recipe(str(recipe)), data=data, cache=tmp_path, progress=quiet)
    assert plan.total_bytes <= plan.budget and set(plan.bits.values()) <= {2, 3, 4} and len(plan.bits) > 3
    assert ("training speech" if with_data else "synthetic voices") in plan.method


def test_a_rule_without_a_layer_is_told(net: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE.replace('"*"', '"block9_*"'))
    recipe = load_recipe(str(tmp_path / "mine.toml"))
    with pytest.raises(UsageError, match="rule 1 matches no layer"):
        find_bit_allocation(net, recipe, data=None, cache=tmp_path, progress=quiet)


def test_crops_are_the_first_segments_of_recordings(net: Path, speech: Path) -> None:
    description, utterances = load_description(net), read_corpus(speech)
    crops = cut_speech(utterances, description)
    frames, mels = description.segments.frames, description.features.num_mels
    assert crops.shape == (min(CROPS, len(utterances)), frames, mels, 1)
    first = [bit_widths._segments(each.path, description)[0] for each in utterances]
    found = [number for crop in crops for number, wanted in enumerate(first) if np.array_equal(crop[..., 0], wanted)]
    assert sorted(found) == list(range(len(utterances))), "each recording once"
    pcm = bit_widths.read_recording(utterances[0].path)
    expected = description.segments.cut(compute_features(pcm, description.features))[0]
    np.testing.assert_array_equal(first[0], expected)


@pytest.mark.parametrize("count", [4, 6])
def test_few_crops_are_of_as_many_speakers_as_there_are(
    net: Path, speech: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One speaker has a single recording, which is among few crops all the same."""
    monkeypatch.setattr(bit_widths, "CROPS", count)
    heard: list[str] = []
    utterances = read_corpus(speech)
    rare = [each for each in utterances if each.speaker == utterances[0].speaker]
    utterances = [each for each in utterances if each not in rare[1:]]
    speakers = {each.path: each.speaker for each in utterances}
    cut = bit_widths._segments

    def listen(path: Path, description: object) -> np.ndarray:
        heard.append(speakers[path])
        return cut(path, description)  # type: ignore[arg-type]

    monkeypatch.setattr(bit_widths, "_segments", listen)
    cut_speech(utterances, load_description(net))
    counts = Counter(heard)
    assert len(heard) == count and len(counts) == len(set(speakers.values())) == 4
    del counts[rare[0].speaker]
    assert len(rare) > 1 and max(counts.values()) - min(counts.values()) <= 1
