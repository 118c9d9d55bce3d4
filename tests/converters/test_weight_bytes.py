"""The bytes that a plan counts on are the bytes that lie in a package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.analysis.flash import LayerBytes, size_tables
from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.artifacts.palette import load_palettes
from edge_sv.compress.net_bytes import net_bytes
from edge_sv.compress.straight_through import straight_through_method
from edge_sv.models.checkpoint import load_net, save_net
from edge_sv.plugins.converter import find_converter
from edge_sv.plugins.weight_bytes import WeightBytes, total_bytes
from edge_sv.recipes.reading import load_recipe, parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.system.bundled import assets_dir
from tests.nets import make_float_net, voice_calibration

QUANTIZED = {
    "stem_conv": ("uniform", 4, "layer"),
    "stage1_block1_conv1": ("kmeans", 3, "layer"),
    "stage1_block1_conv2": ("binary_adaptive", 1, "layer"),
    "stage2_block1_conv1": ("kmeans", 2, "channel"),
    "stage2_block1_conv2": ("kmeans", 4, "layer"),
    "stage2_block1_shortcut": ("powers_of_two", 4, "layer"),
    "embedding": ("uniform", 2, "layer"),
}


def recipe(quantized: dict[str, tuple[str, int, str]]) -> CompressionRecipe:
    rules = [
        {"match": name, "weights": bits, "quantizer": quantizer, "granularity": granularity}
        for name, (quantizer, bits, granularity) in quantized.items()
    ]
    return parse_recipe({"name": "palette_w4_ai8", "description": "", "rules": rules}, source="test")


def in_flash(artifact: ModelArtifact) -> dict[str, LayerBytes]:
    """Return the layers with weights as the generated C source holds them."""
    return {layer.name: layer for layer in size_tables(artifact)["cortex-m"].layers if layer.weights}


def assert_foreseen(foreseen: dict[str, WeightBytes], artifact: ModelArtifact) -> None:
    """Compare layer by layer; scales and biases may be less, where arrays of two layers are equal and stored once."""
    found = in_flash(artifact)
    assert set(foreseen) == set(found)
    for name, layer in found.items():
        told = foreseen[name]
        assert (told.values, told.codebooks) == (layer.weights, layer.codebook), name
        assert told.scales >= layer.scales and told.biases == layer.biases, name
    stored = sum(layer.total - layer.other for layer in found.values())
    assert stored <= total_bytes(foreseen.values()) <= 1.01 * stored


@pytest.mark.parametrize("name", ["static_wi8_ai8", "palette_w4_ai8"])
def test_resnet_nano_takes_what_was_foreseen(name: str) -> None:
    folder = assets_dir() / "resnet-nano"
    compressed = folder / "compressed" / name
    source = compressed if compressed.is_dir() else folder
    assert_foreseen(net_bytes(load_net(source)[0], load_palettes(source)), load_artifact(folder / name))


def test_every_quantizer_takes_what_was_foreseen(tmp_path: Path) -> None:
    """Also where a batch normalization turns the sign of channels, and a codebook needs its negative beside it."""
    model, description = load_net(make_float_net(tmp_path / "float"))
    turned = model.get_layer("stage1_block1_conv1_bn").gamma
    turned.assign(np.where(np.arange(turned.shape[0]) % 3, 1, -1) * turned.numpy())
    palettes = straight_through_method(model, recipe(QUANTIZED)).apply(model)
    save_net(tmp_path / "rounded", description, model, palettes)
    artifact = find_converter("tflite").convert(
        tmp_path / "rounded", load_recipe("palette_w4_ai8"), voice_calibration()
    )
    foreseen = net_bytes(model, palettes)
    assert set(foreseen) == set(QUANTIZED)
    assert_foreseen(foreseen, artifact)
    straight = make_straight(foreseen, model, palettes)
    assert straight["stage1_block1_conv1"] != foreseen["stage1_block1_conv1"]


def make_straight(
    foreseen: dict[str, WeightBytes], model: object, palettes: dict[str, object]
) -> dict[str, WeightBytes]:
    """Count the same net with no channel turned."""
    gamma = model.get_layer("stage1_block1_conv1_bn").gamma  # type: ignore[attr-defined]
    gamma.assign(np.abs(gamma.numpy()))
    return net_bytes(model, palettes)  # type: ignore[arg-type]
