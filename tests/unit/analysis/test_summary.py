"""A model's layers and totals, of whatever kind it is, without TensorFlow where it is a converted one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_sv.analysis.summary import ModelSummary, summarize_model
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.errors import DataError, UsageError
from edge_sv.package import write_package
from edge_sv.package.target import load_target
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.layer_cost import LayerProfile
from tests.int8_models import Int8Model

NET = assets_dir() / "resnet-nano"
ARTIFACT = NET / "static_wi8_ai8"


def layer(name: str, *, parameters: int, bits: int, macs: int) -> LayerProfile:
    return LayerProfile(name, "conv", (1, 8), parameters, bits, parameters * bits // 8, macs)


class TestTotals:
    SUMMARY = ModelSummary(
        name="net",
        precision="float32",
        layers=(layer("a", parameters=100, bits=8, macs=4000), layer("b", parameters=60, bits=4, macs=2000)),
        frames=50,
        hop_ms=20.0,
    )

    def test_they_are_sums_over_layers(self) -> None:
        assert (self.SUMMARY.parameters, self.SUMMARY.weight_bytes, self.SUMMARY.macs) == (160, 130, 6000)

    def test_a_second_of_speech_is_its_share_of_a_segment(self) -> None:
        assert self.SUMMARY.macs_per_second == 6000  # 50 frames of 20 ms
        halved = ModelSummary("net", "float32", self.SUMMARY.layers, frames=50, hop_ms=10.0)
        assert halved.macs_per_second == 12000

    def test_a_file_without_a_front_end_claims_no_rate(self) -> None:
        unknown = ModelSummary("net", "tflite", self.SUMMARY.layers, frames=50)
        assert unknown.macs_per_second is None
        assert json.loads(json.dumps(unknown.to_dict()))["macs_per_second"] is None


class TestConverted:
    def test_a_name_a_net_s_folder_and_the_form_s_are_the_same(self) -> None:
        summary = summarize_model("resnet-nano")
        assert summary == summarize_model(str(NET)) == summarize_model(str(ARTIFACT))
        artifact = load_artifact(ARTIFACT)
        assert (summary.name, summary.precision) == ("resnet-nano", "static_wi8_ai8")
        assert (summary.file_bytes, summary.frames) == (len(artifact.model), artifact.segments.frames)
        assert summary.flash["tflite"].total == summary.file_bytes and summary.sizes is None

    def test_a_file_tells_what_its_folder_tells(self, tmp_path: Path) -> None:
        shutil.copy(ARTIFACT / "model.tflite", tmp_path / "mine.tflite")
        whole, file = summarize_model(str(ARTIFACT)), summarize_model(str(tmp_path / "mine.tflite"))
        assert (file.name, file.precision) == ("mine", "tflite")
        assert (file.layers, file.frames, file.file_bytes) == (whole.layers, whole.frames, whole.file_bytes)
        assert file.flash == {"tflite": whole.flash["tflite"]}

    @pytest.mark.parametrize("target", ["cortex-m", "tflite"])
    def test_a_package_tells_what_all_of_it_costs(self, target: str, tmp_path: Path) -> None:
        package = write_package(load_artifact(ARTIFACT), load_target(target), tmp_path / "package")
        summary = summarize_model(str(package.path))
        assert summary.layers == summarize_model(str(ARTIFACT)).layers
        assert summary.sizes == package.manifest.sizes.model_dump()
        if target == "cortex-m":
            assert list(summary.flash) == ["cortex-m"]
            assert summary.flash["cortex-m"].total == package.manifest.sizes.model_bytes
        else:
            assert summary.file_bytes == summary.flash["tflite"].total

    def test_the_smallest_file_of_others(self, tmp_path: Path) -> None:
        net = Int8Model((1, 8, 6, 3), seed=1)
        (tmp_path / "small.tflite").write_bytes(net.pack(net.conv(net.input, 5)))
        summary = summarize_model(str(tmp_path / "small.tflite"))
        assert (summary.macs, summary.parameters, summary.frames) == (8 * 6 * 3 * 5, 3 * 5 + 5, 8)
        assert (summary.hop_ms, summary.macs_per_second) == (None, None)


class TestFloat:
    def test_a_form_s_float_net_is_asked_for(self, net: Path) -> None:
        own, converted = summarize_model(str(net), float_net=True), summarize_model(str(net))
        assert (own.precision, converted.precision) == ("float32", "static_wi8_ai8")
        assert own.macs == converted.macs and own.frames == converted.frames
        assert not own.flash and own.file_bytes is None
        assert own.weight_bytes == 4 * own.parameters

    def test_a_converted_net_has_none(self) -> None:
        with pytest.raises(UsageError, match="is a converted model"):
            summarize_model(str(ARTIFACT), float_net=True)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    with pytest.raises(DataError, match="not a TensorFlow Lite model"):
        summarize_model(str(tmp_path / "a.tflite"))


def test_an_unknown_name_has_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        summarize_model("resnet-nanno")
    assert "resnet-nano" in (caught.value.hint or "")
