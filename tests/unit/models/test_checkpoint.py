"""A float net on disk comes back as it was, or says why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import (
    NetDescription,
    build_net,
    encode_weights,
    load_description,
    load_net,
    load_weights,
    save_net,
)
from edge_sv.models.ecapa_tdnn import EcapaConfig
from edge_sv.models.resnet import ResNetConfig
from edge_sv.system.npz import read_arrays

RESNET = NetDescription(
    name="small",
    family="resnet",
    config=ResNetConfig(
        stem_channels=2, stem_stride=(2, 2), stage_channels=(3,), stage_blocks=(1,), downsample=("none",),
        relu_limit=6.0, pooling="mean_time_freq", embedding_dim=4,
    ),
    features=FeatureConfig(num_mels=8, mean_start=(-1.5,) * 8),
    segments=SegmentRule(frames=10, hop_frames=5),
    provenance={"training": {"seed": 3}, "dev": {"dev_eer": 0.125}},
)  # fmt: skip
ECAPA = replace(
    RESNET,
    family="ecapa_tdnn",
    config=EcapaConfig(
        channels=8, dilations=(2, 3), res2net_scale=2, squeeze_channels=4, aggregation_channels=8,
        attention_channels=4, embedding_dim=6,
    ),
)  # fmt: skip


def build(description: NetDescription, seed: int = 1) -> tf_keras.Model:
    tf_keras.utils.set_random_seed(seed)
    model = build_net(description)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def model() -> tf_keras.Model:
    return build(RESNET)


@pytest.fixture
def folder(tmp_path: Path, model: tf_keras.Model) -> Path:
    save_net(tmp_path / "net", RESNET, model)
    return tmp_path / "net"


@pytest.mark.parametrize("description", [RESNET, ECAPA], ids=lambda d: d.family)
def test_round_trip(tmp_path: Path, description: NetDescription) -> None:
    saved = build(description)
    save_net(tmp_path / "net", description, saved)
    loaded, found = load_net(tmp_path / "net")
    assert found == description
    assert [w.name for w in loaded.weights] == [w.name for w in saved.weights]
    for ours, theirs in zip(loaded.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == ["net.json", "weights.npz"]


def test_equal_weights_equal_bytes(folder: Path, model: tf_keras.Model) -> None:
    assert encode_weights(load_net(folder)[0]) == encode_weights(model) == (folder / "weights.npz").read_bytes()
    assert encode_weights(build(RESNET, seed=2)) != encode_weights(model)


def test_another_number_of_frames(folder: Path, model: tf_keras.Model) -> None:
    longer, _ = load_net(folder, frames=14)
    assert longer.input_shape == (None, 14, 8, 1)
    np.testing.assert_array_equal(longer.get_weights()[0], model.get_weights()[0])


def test_a_net_trained_in_mixed_precision_loads_in_float32(tmp_path: Path) -> None:
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        trained = build(RESNET)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    save_net(tmp_path, RESNET, trained)
    loaded, _ = load_net(tmp_path)
    assert loaded.layers[1].compute_dtype == "float32"
    np.testing.assert_array_equal(loaded.get_weights()[0], trained.get_weights()[0])


# --- net.json --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, ["format 2; this version reads 1", "newer"]),
        ({"format": None}, ["format None"]),
        ({"family": "resnext"}, ["unknown net family 'resnext'", "did you mean 'resnet'?"]),
        ({"family": None}, ["net.json"]),
        ({"name": ...}, ["incomplete", "name"]),
        ({"provenance": ...}, ["incomplete", "provenance"]),
        ({"config": {"stem_chanels": 2}}, ["stem_chanels", "stem_channels"]),
        ({"config": {"stem_channels": "two"}}, ["stem_channels", "'two'"]),
        ({"config": {"stage_channels": [1]}}, ["one value per stage"]),
        ({"config": 7}, ["net.json"]),
        ({"features": {"num_mels": -1}}, ["num_mels must be at least 1"]),
        ({"features": {"num_bells": 1}}, ["num_bells"]),
        ({"features": []}, ["front-end"]),
        ({"segments": {"frames": 0}}, ["impossible segments"]),
        ({"segments": {"length": 9}}, ["length"]),
        ({"segments": None}, ["net.json"]),
    ],
)
def test_what_is_wrong_in_net_json_is_told(folder: Path, changes: dict[str, Any], words: list[str]) -> None:
    values = {**json.loads((folder / "net.json").read_text()), **changes}
    (folder / "net.json").write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))
    for load in (load_description, load_net):
        with pytest.raises(DataError) as caught:
            load(folder)
        assert all(word in str(caught.value) for word in [str(folder), *words])


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"3", b'"net"'])
def test_a_net_json_that_is_none(folder: Path, data: bytes) -> None:
    (folder / "net.json").write_bytes(data)
    with pytest.raises(DataError) as caught:
        load_description(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("missing", ["net.json", "weights.npz"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(DataError, match=missing.replace(".", r"\.")):
        load_net(folder)


# --- weights.npz -----------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_never_give_other_weights(folder: Path, model: tf_keras.Model, data: st.DataObject) -> None:
    content = bytearray(encode_weights(model))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = folder / "weights.npz"
    path.write_bytes(bytes(content))
    target = build_cached()
    try:
        load_weights(path, target)
    except DataError as error:
        assert str(path) in str(error)
    else:  # the flip hit what does not count, such as a time stamp
        for ours, theirs in zip(target.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def build_cached(built: list[tf_keras.Model] = []) -> tf_keras.Model:  # noqa: B006 - one net for all examples
    if not built:
        built.append(build(RESNET, seed=9))
    return built[0]


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -30])
def test_cut_off_weights_are_told(folder: Path, cut: int) -> None:
    path = folder / "weights.npz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"weights\.npz is damaged"):
        load_net(folder)


def test_another_nets_weights_are_refused(folder: Path) -> None:
    other = replace(RESNET, config=replace(RESNET.config, embedding_dim=5))  # type: ignore[arg-type]
    (folder / "weights.npz").write_bytes(encode_weights(build(other)))
    with pytest.raises(DataError, match="of another net") as caught:
        load_net(folder)
    assert "embedding" in caught.value.details["first difference"]


@pytest.mark.parametrize("change", ["dtype", "missing", "added"])
def test_arrays_must_be_the_nets_own(folder: Path, change: str) -> None:
    path = folder / "weights.npz"
    arrays = read_arrays(path)
    if change == "dtype":
        arrays["embedding/bias"] = arrays["embedding/bias"].astype(np.float16)
    elif change == "missing":
        del arrays["embedding/bias"]
    else:
        arrays["more"] = np.zeros(1)
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="of another net"):
        load_net(folder)


def test_pickled_objects_are_never_loaded(folder: Path) -> None:
    path = folder / "weights.npz"
    np.savez(path, evil=np.array([{"run": "me"}], object))
    with pytest.raises(DataError, match="is damaged"):
        load_net(folder)
