"""A float net's folder, read without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.artifacts.activation_ranges import encode_ranges, load_ranges
from edge_sv.artifacts.net import FloatNet, is_net, net_sha256, read_net
from edge_sv.artifacts.palette import Palette, load_palettes, save_palettes
from edge_sv.errors import DataError
from edge_sv.system.bundled import assets_dir
from edge_sv.system.packed import pack
from tests.nets import FEATURES, SEGMENTS, make_float_net

NANO = assets_dir() / "resnet-nano"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("net"))


def test_reads_what_the_net_states(net: Path) -> None:
    found = read_net(net)
    assert (found.name, found.family, found.features, found.segments) == ("tiny", "resnet", FEATURES, SEGMENTS)
    assert found.config["embedding_dim"] == 16 and found.compressed_from is None and found.recipe is None
    assert is_net(net) and not is_net(net.parent)


def test_a_compressed_net_states_its_origin_and_recipe() -> None:
    found = read_net(NANO / "compressed" / "palette_w4_ai8")
    assert found.compressed_from == net_sha256(NANO)
    assert found.recipe is not None and found.recipe["name"] == "palette_w4_ai8"


def test_tensorflow_is_not_imported() -> None:
    program = "import sys, edge_sv.artifacts.locate; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def change(net: Path, folder: Path, **values: Any) -> Path:
    about = {**json.loads((net / "net.json").read_text()), **values}
    folder.mkdir()
    (folder / "net.json").write_text(json.dumps({key: value for key, value in about.items() if value != "gone"}))
    (folder / "weights.npz").write_bytes((net / "weights.npz").read_bytes())
    return folder


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99}, "has format 99"),
        ({"family": "gone"}, "is incomplete"),
        ({"features": {"num_mels": -1}}, "net.json"),
        ({"features": {"unknown": 1}}, "net.json"),
        ({"segments": {"frames": 8, "unknown": 1}}, "is damaged"),
        ({"segments": 5}, "is damaged"),
        ({"config": 5}, "is damaged"),
    ],
)
def test_a_damaged_description_is_refused(net: Path, tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_net(change(net, tmp_path / "net", **values))


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '"x"', "[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.json").write_text(text)
    for read in (read_net, net_sha256):
        with pytest.raises(DataError, match="is damaged"):
            read(tmp_path)


def test_identity_is_of_weights_and_use_alone(net: Path, tmp_path: Path) -> None:
    identity = net_sha256(net)
    assert net_sha256(change(net, tmp_path / "a", name="other", provenance={"note": 1})) == identity
    assert net_sha256(change(net, tmp_path / "b", family="xvector")) != identity
    segments = {"frames": SEGMENTS.frames, "hop_frames": 1}
    assert net_sha256(change(net, tmp_path / "c", segments=segments)) != identity
    (tmp_path / "a" / "weights.npz").write_bytes(b"")
    assert net_sha256(tmp_path / "a") != identity
    (tmp_path / "a" / "weights.npz").unlink()
    with pytest.raises(DataError, match="is not a float net"):
        net_sha256(tmp_path / "a")
    with pytest.raises(DataError, match="is incomplete"):
        net_sha256(change(net, tmp_path / "d", config="gone"))


def test_a_value_of_its_own(net: Path) -> None:
    assert read_net(net) == read_net(net) and isinstance(read_net(net), FloatNet)


def pack_arrays(folder: Path) -> None:
    for path in folder.glob("*.npz"):
        path.with_name(path.name + ".xz").write_bytes(pack(path.read_bytes()))
        path.unlink()


def test_packed_arrays_make_no_other_net(net: Path, tmp_path: Path) -> None:
    palette = Palette(
        1, np.array([-9, 9], np.int8), np.ones((1, 1, 2, 3), np.uint8), np.array([0.5, 0.25, 1], np.float32)
    )
    folder = change(net, tmp_path / "a")
    save_palettes(folder, {"conv": palette})
    (folder / "ranges.npz").write_bytes(encode_ranges({"relu": (0.0, 6.0)}))
    identity = net_sha256(folder)
    pack_arrays(folder)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".xz", ".xz", ".xz"]
    assert net_sha256(folder) == identity
    np.testing.assert_array_equal(load_palettes(folder)["conv"].weights(), palette.weights())
    assert load_ranges(folder) == {"relu": (0.0, 6.0)}


@pytest.mark.parametrize("name", ["weights.npz.xz", "palettes.npz.xz"])
def test_a_damaged_packed_file_is_named(tmp_path: Path, name: str) -> None:
    source = NANO / "compressed" / "palette_w4_ai8"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: -9 if path.name == name else None])
    with pytest.raises(DataError, match=f"{name} is damaged"):
        net_sha256(tmp_path)


def test_bundled_nets_are_packed() -> None:
    assert not list(assets_dir().glob("*/weights.npz")) and not list(assets_dir().glob("*/compressed/*/*.npz"))
    assert len(list(assets_dir().glob("*/compressed/*/palettes.npz.xz"))) >= 20
