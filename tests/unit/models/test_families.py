"""Every family's nets have the convolutions that the family states, and no others."""

from __future__ import annotations

import dataclasses

import pytest

from edge_sv.models.families import FAMILIES
from edge_sv.models.layer_names import matches
from edge_sv.models.presets import PRESETS
from tests.families import FAMILIES as TINY
from tests.families import build_tiny
from tests.unit.models.nets import convolutions, preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_convolutions_have_the_names_that_its_family_states(name: str) -> None:
    family, model = FAMILIES[PRESETS[name][0]], preset(name)
    assert [layer for layer in convolutions(model) if not family.has_convolution(layer)] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_every_name_that_a_family_states_is_in_one_of_its_nets(name: str) -> None:
    nets = [build_tiny(name), *(preset(known) for known, (family, _) in PRESETS.items() if family == name)]
    found = {layer for model in nets for layer in convolutions(model)}
    unused = [pattern for pattern in FAMILIES[name].convolutions if not any(matches(one, pattern) for one in found)]
    assert unused == []


def test_every_family_has_a_preset_and_a_tiny_net() -> None:
    assert {family for family, _ in PRESETS.values()} == set(FAMILIES) == set(TINY)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_configuration_needs_no_values_and_cannot_be_changed(name: str) -> None:
    config = FAMILIES[name].config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.embedding_dim = 1
