"""Presets: every one builds, takes the default front end, and is as large as its name says."""

from __future__ import annotations

import re

import pytest

from edge_sv.errors import UsageError
from edge_sv.models.presets import PRESETS, describe_preset
from tests.unit.models.nets import preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_two_seconds_of_the_default_front_end(name: str) -> None:
    description, model = describe_preset(name), preset(name)
    assert model.input_shape == (None, description.segments.frames, description.features.num_mels, 1)
    assert model.output_shape == (None, description.config.embedding_dim)
    assert (description.name, description.family) == (name, PRESETS[name][0])


@pytest.mark.parametrize("name", [name for name in PRESETS if re.fullmatch(r".*-\d+k", name)])
def test_a_number_in_a_name_is_that_of_its_parameters(name: str) -> None:
    thousands = int(name.rpartition("-")[2].removesuffix("k"))
    assert preset(name).count_params() / 1000 == pytest.approx(thousands, rel=0.05)


def test_an_unknown_preset_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"unknown preset 'resnet43'(.|\n)*did you mean 'resnet34'"):
        describe_preset("resnet43")
