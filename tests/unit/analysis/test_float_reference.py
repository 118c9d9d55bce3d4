"""The float net that a converted model was made from is found by what it is, wherever it may lie."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_sv.analysis.float_reference import convert_float, find_reference
from edge_sv.analysis.graphs import read_biases, read_weights
from edge_sv.artifacts.artifact import load_artifact, save_artifact
from edge_sv.artifacts.provenance import Provenance
from edge_sv.errors import DataError
from edge_sv.system.bundled import assets_dir

NET = assets_dir() / "resnet-nano"
FORM = "static_wi8_ai8"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The net and one of its forms in a folder of another name."""
    folder = tmp_path / "copy"
    shutil.copytree(NET, folder, ignore=shutil.ignore_patterns("*_ai8", "compressed"))
    shutil.copytree(NET / FORM, folder / FORM)
    return folder


@pytest.mark.parametrize("place", ["copy/static_wi8_ai8", "copy/static_wi8_ai8/../static_wi8_ai8"])
def test_it_is_the_folder_around_a_form(copy: Path, place: str) -> None:
    path = copy.parent / place
    assert find_reference(path, load_artifact(path)) == copy.resolve()


def test_it_may_be_the_folder_that_was_named(copy: Path) -> None:
    assert find_reference(copy, load_artifact(copy / FORM)) == copy.resolve()


def test_a_bundled_net_is_found_from_anywhere(tmp_path: Path) -> None:
    shutil.copytree(NET / FORM, tmp_path / "alone")
    assert find_reference(tmp_path / "alone", load_artifact(tmp_path / "alone")) == NET


def test_a_compressed_model_s_is_the_compressed_float_net() -> None:
    """Its weights were trained once more: against the net that it began with, everything would differ."""
    artifact = load_artifact(NET / "palette_w4_ai8")
    assert find_reference("resnet-nano", artifact) == NET / "compressed" / "palette_w4_ai8"


def test_another_net_in_its_place_is_not_taken(copy: Path) -> None:
    """Nets are compared by their sha256: a net of the same name that was trained on is another one."""
    artifact = load_artifact(copy / FORM)
    renamed = dataclasses.replace(artifact, name="no-bundled-net")
    save_artifact(copy / FORM, renamed)
    assert find_reference(copy, renamed) == copy.resolve()
    weights = copy / "weights.npz"
    shutil.copy(assets_dir() / "resnet-thin" / "weights.npz.xz", weights.with_name("weights.npz.xz"))
    with pytest.raises(DataError, match="is not here") as caught:
        find_reference(copy, renamed)
    assert caught.value.details == {
        "wanted": f"float_sha256 {str(artifact.provenance.float_sha256)[:12]}...",
        "tried": str(copy.resolve()),
    }
    assert "--against" in (caught.value.hint or "")


def test_a_model_that_does_not_say_where_it_is_from(copy: Path) -> None:
    unknown = dataclasses.replace(load_artifact(copy / FORM), name="no-bundled-net", provenance=Provenance())
    with pytest.raises(DataError) as caught:
        find_reference(copy, unknown)
    assert caught.value.details["wanted"] == "the model does not state one"
    (copy / "net.json").unlink()
    with pytest.raises(DataError) as caught:
        find_reference(copy / FORM, unknown)
    assert caught.value.details["tried"] == "no float net beside it"


def test_a_converted_float_net_has_the_layers_of_its_int8_form(net: Path, float_model: bytes) -> None:
    assert convert_float(net) == float_model
    artifact = load_artifact(net / "static_wi8_ai8")
    exact, rounded = read_weights(float_model), read_weights(artifact.model)
    assert exact.keys() == rounded.keys() and read_biases(float_model).keys() == read_biases(artifact.model).keys()
    for layer, values in exact.items():
        step = np.abs(rounded[layer]).max() / 127
        assert np.abs(values - rounded[layer]).max() <= step, layer


def test_a_damaged_net_is_named(net: Path, tmp_path: Path) -> None:
    shutil.copytree(net, tmp_path / "damaged")
    description = json.loads((tmp_path / "damaged" / "net.json").read_text())
    (tmp_path / "damaged" / "net.json").write_text(json.dumps({**description, "family": "nothing"}))
    with pytest.raises(DataError, match=r"damaged"):
        convert_float(tmp_path / "damaged")
