"""A family knows the names of its convolutions: its own, and those that all nets have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge_sv.models.family import Family


@dataclass(frozen=True)
class Config:
    channels: int = 8


FAMILY = Family(Config, lambda config, *, frames, num_mels: None, convolutions=("stage#_conv#", "last.conv"))


@pytest.mark.parametrize("name", ["stage1_conv2", "stage10_conv11", "last.conv", "stem_conv", "embedding"])
def test_names_of_its_convolutions(name: str) -> None:
    assert FAMILY.has_convolution(name) and FAMILY.has_convolution("pool_attention_score")


@pytest.mark.parametrize("name", ["stage_conv1", "stage1_conv2_bn", "lastxconv", "stem", "embedding_vector", ""])
def test_other_names(name: str) -> None:
    assert not FAMILY.has_convolution(name)
