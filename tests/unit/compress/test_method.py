"""What a compression leaves on disk, and the form of a net that is not compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sv.artifacts.palette import load_palettes
from edge_sv.compress.method import Extras, Uncompressed, save_compressed
from edge_sv.models.checkpoint import load_net
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid
from tests.nets import make_float_net


def test_an_uncompressed_net_is_its_own_form(tmp_path: Path) -> None:
    model, _ = load_net(make_float_net(tmp_path / "one"))
    other, _ = load_net(make_float_net(tmp_path / "other", seed=2))
    form = Uncompressed()
    assert form.trainable(model, lambda: np.zeros(0, np.float32)) is model
    assert form.begin_epoch(0) is False
    assert form.finish(model, other.get_weights()) == Extras()
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    model, description = load_net(make_float_net(tmp_path / "float"))
    layer = model.get_layer("stem_conv")
    palette = quantize(layer.kernel.numpy(), make_grid("kmeans", layer.kernel.numpy(), 2))
    layer.kernel.assign(palette.weights())
    extras = Extras({"stem_conv": palette}, {"more.txt": b"more"}, provenance={"widths": {"stem_conv": 2}})
    save_compressed(tmp_path / "compressed", description, model, extras)
    read, about = load_net(tmp_path / "compressed")
    assert about.provenance == {**description.provenance, "widths": {"stem_conv": 2}}
    assert (tmp_path / "compressed" / "more.txt").read_bytes() == b"more"
    np.testing.assert_array_equal(load_palettes(tmp_path / "compressed")["stem_conv"].indices, palette.indices)
    for one, two in zip(model.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
