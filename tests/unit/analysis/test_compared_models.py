"""Which models a comparison takes: each once, the float net first, and never two of one name."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from edge_sv.analysis.compared_models import FLOAT, ComparedModel, find_compared_models, float_of
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.errors import UsageError
from edge_sv.system.bundled import assets_dir

NET = assets_dir() / "resnet-nano"
ARTIFACT = NET / "static_wi8_ai8"


def forms(compared: list[ComparedModel]) -> list[str]:
    return [each.form for each in compared]


def test_a_net_is_itself_and_all_its_forms_the_largest_first() -> None:
    own, *converted = find_compared_models(["resnet-nano"])
    assert (own.label, own.is_float, own.runtime, own.artifact) == ("resnet-nano float", True, "keras", None)
    assert sorted(forms(converted)) == sorted(path.parent.name for path in NET.glob("*/artifact.json"))
    sizes = [len(each.artifact.model) for each in converted if each.artifact]
    assert len(sizes) == len(converted) > 3 and sizes == sorted(sizes, reverse=True)
    assert not any(each.is_float for each in converted)
    assert all(float_of(each, [own, *converted]) is own for each in converted)
    assert float_of(own, [own, *converted]) is None and float_of(converted[0], converted) is None


def test_each_is_there_once_however_it_is_named() -> None:
    names = ["resnet-nano", str(NET), "resnet-nano/static_wi8_ai8", ARTIFACT, NET / ".." / "resnet-nano"]
    assert find_compared_models(names) == find_compared_models(["resnet-nano"])


def test_a_converted_model_brings_its_float_net_unless_none_is_wanted(tmp_path: Path) -> None:
    assert forms(find_compared_models([ARTIFACT])) == [FLOAT, "static_wi8_ai8"]
    assert forms(find_compared_models([ARTIFACT], keras=False)) == ["static_wi8_ai8"]
    shutil.copytree(ARTIFACT, tmp_path / "alone")
    (alone,) = find_compared_models([tmp_path / "alone"], runtime="tflm")
    assert (alone.label, alone.runtime) == ("resnet-nano static_wi8_ai8", "tflm")
    assert alone.artifact is not None and alone.artifact.sha256 == load_artifact(ARTIFACT).sha256


def test_nets_keep_the_order_in_which_they_are_named() -> None:
    for names in (["xvector-small", "resnet-nano"], ["resnet-nano", "xvector-small"]):
        compared = find_compared_models(names)
        assert list(dict.fromkeys(each.net for each in compared)) == names
        assert [each.net for each in compared if each.is_float] == names
        reference = float_of(compared[-1], compared)
        assert reference is not None and reference.net == names[-1]


def test_a_float_net_alone_is_refused_where_it_cannot_run(tmp_path: Path) -> None:
    net = tmp_path / "net"
    net.mkdir()
    shutil.copy(NET / "net.json", net)
    assert forms(find_compared_models([net])) == [FLOAT]
    with pytest.raises(UsageError, match="holds a float net only"):
        find_compared_models([net], keras=False)


def test_a_compressed_net_is_no_reference() -> None:
    (compressed,) = find_compared_models([NET / "compressed" / "palette_w4_ai8"])
    assert compressed.form == "palette_w4_ai8 in float" and not compressed.is_float


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two runs of one configuration: the second's forms would be compared with the first's float net."""
    for run in ("one", "two"):
        shutil.copytree(NET, tmp_path / run, ignore=shutil.ignore_patterns("*_ai8", "compressed"))
    with pytest.raises(UsageError, match="two models are called 'resnet-nano float'") as caught:
        find_compared_models([tmp_path / "one", tmp_path / "two"])
    assert list(caught.value.details.values()) == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_a_bundled_model_s_place_is_the_same_wherever_the_package_is(tmp_path: Path) -> None:
    own, *converted = find_compared_models(["resnet-nano"])
    assert own.place == "assets/resnet-nano"
    assert {each.place for each in converted} == {f"assets/resnet-nano/{each.form}" for each in converted}
    assert ComparedModel("a", FLOAT, tmp_path).place == str(tmp_path)


def test_a_worker_process_can_be_handed_what_opens_a_model() -> None:
    (_, model) = find_compared_models([ARTIFACT])
    embedder = pickle.loads(pickle.dumps(model.open))()
    assert model.artifact is not None and embedder.model_sha256 == model.artifact.sha256
