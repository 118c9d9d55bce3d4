"""`edge-sv summary` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")


from edge_sv.artifacts.artifact import ModelArtifact, save_artifact
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net, save_net
from edge_sv.models.resnet import ResNetConfig
from edge_sv.tflite.flatbuffer import parse_model, profile_operators

NET = NetDescription(
    name="tiny",
    family="resnet",
    config=ResNetConfig(
        stem_stride=(2, 2),
        stage_channels=(16,),
        stage_blocks=(1,),
        downsample=("none",),
        pooling="mean",
        embedding_dim=8,
    ),
    features=FeatureConfig(num_mels=10, hop_ms=20.0),
    segments=SegmentRule(frames=50, hop_frames=25),
)
# Counted by hand. Stem: 25 x 5 positions, 3 x 3 x 1 x 16 weights; two convolutions of 3 x 3 x 16 x 16; embedding of
# 5 x 16 means into 8.
MACS = 125 * 144 + 2 * 125 * 2304 + 80 * 8
WEIGHTS = 144 + 2 * 2304 + 80 * 8
BATCH_NORM = 3 * 4 * 16
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['tf_keras'] = None; "


def edge_sv(*args: object, without_tensorflow: bool = False) -> subprocess.CompletedProcess[str]:
    code = f"{NO_TENSORFLOW if without_tensorflow else ''}from edge_sv.cli.app import main; main()"
    command = [sys.executable, "-c", code, "summary", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def summary(*args: object, without_tensorflow: bool = False) -> dict:
    result = edge_sv(*args, "--json", without_tensorflow=without_tensorflow)
    assert (result.returncode, result.stderr) == (0, ""), "libraries' messages are not the user's"
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    return document


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets") / "tiny"
    folder.mkdir()
    save_net(folder, NET, build_net(NET))
    return folder


@pytest.fixture(scope="module")
def tflite_file(float_net: Path) -> Path:
    """The net as TensorFlow's converter writes it, in float."""
    import tensorflow as tf

    model = build_net(NET)
    run = tf.function(lambda x: model(x, training=False))
    concrete = run.get_concrete_function(tf.TensorSpec((1, 50, 10, 1), tf.float32))
    path = float_net.parent / "tiny.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], model).convert())
    return path


@pytest.fixture(scope="module")
def artifact(tflite_file: Path) -> Path:
    data = tflite_file.read_bytes()
    value = ModelArtifact(
        name="tiny",
        kind="tflite",
        model=data,
        features=NET.features,
        segments=NET.segments,
        embedding_dim=8,
        recipe="static_wi8_ai8",
        layers=profile_operators(parse_model(data)),
    )
    folder = tflite_file.parent / "artifact"
    save_artifact(folder, value)
    return folder


class TestFloatNet:
    def test_totals_are_those_counted_by_hand(self, float_net: Path) -> None:
        document = summary(float_net)
        assert (document["name"], document["precision"], document["frames"]) == ("tiny", "float32", 50)
        assert document["macs"] == MACS
        assert document["parameters"] == WEIGHTS + BATCH_NORM + 8
        assert document["weight_bytes"] == 4 * document["parameters"]
        assert document["macs_per_second"] == MACS  # 50 frames of 20 ms

    def test_rows_add_up_to_the_totals(self, float_net: Path) -> None:
        document = summary(float_net)
        for key in ("macs", "parameters", "weight_bytes"):
            assert sum(row[key] for row in document["layers"]) == document[key]

    def test_table(self, float_net: Path) -> None:
        lines = edge_sv(float_net).stdout.splitlines()
        assert lines[0].split() == ["layer", "kind", "output", "parameters", "bits", "bytes", "MACs"]
        assert "stem_conv conv 25x5x16 144 32 576 18,000".split() in [line.split() for line in lines]
        assert f"MACs        {MACS:,} an inference" in lines


class TestConverted:
    def test_folder_needs_no_tensorflow(self, artifact: Path) -> None:
        document = summary(artifact, without_tensorflow=True)
        assert (document["precision"], document["macs"]) == ("static_wi8_ai8", MACS)
        assert document["file_bytes"] == (artifact / "model.tflite").stat().st_size

    def test_bytes_in_flash_add_up_to_the_file(self, artifact: Path) -> None:
        document = summary(artifact, without_tensorflow=True)
        (table,) = document["flash"].values()  # in float it does not compile to C
        assert table["total"] == document["file_bytes"]
        assert table["total"] == table["structure"] + sum(layer["total"] for layer in table["layers"])
        (stem,) = [layer for layer in table["layers"] if "stem" in layer["name"]]
        assert (stem["bits"], stem["weights"]) == (32, 4 * 144)

    def test_flash_in_words(self, artifact: Path) -> None:
        lines = [line.split() for line in edge_sv(artifact, "--flash").stdout.splitlines()]
        assert lines[0] == [*"as a .tflite bits weights codebook scales biases other bytes".split()]
        (total,) = [line for line in lines if line[:1] == ["total"]]
        assert total[-1] == f"{(artifact / 'model.tflite').stat().st_size:,}"

    def test_float_net_has_nothing_in_flash(self, float_net: Path) -> None:
        result = edge_sv(float_net, "--flash")
        assert result.returncode == 2 and "not converted" in result.stderr
        assert summary(float_net)["flash"] == {}

    def test_file_tells_its_operators(self, tflite_file: Path) -> None:
        document = summary(tflite_file, without_tensorflow=True)
        assert (document["macs"], document["frames"]) == (MACS, 50)
        assert document["parameters"] == WEIGHTS + 3 * 16 + 8  # batch normalization is folded into biases
        assert "CONV_2D" in {row["kind"] for row in document["layers"]}

    def test_file_without_its_front_end_claims_no_rate(self, tflite_file: Path) -> None:
        assert summary(tflite_file)["macs_per_second"] is None
        assert "a second of speech" not in edge_sv(tflite_file).stdout


class TestPresets:
    def test_published_net(self) -> None:
        document = summary("ecapa-128")
        assert (document["precision"], document["parameters"]) == ("float32", 517_440)

    def test_needs_tensorflow_and_says_so(self) -> None:
        result = edge_sv("ecapa-128", without_tensorflow=True)
        assert (result.returncode, result.stdout) == (6, "")
        assert "pip install 'edge-sv[train]'" in result.stderr


class TestBadInput:
    def test_unknown_name(self) -> None:
        result = edge_sv("ecapa128")
        assert result.returncode == 2
        assert "did you mean 'ecapa-128'?" in result.stderr

    def test_no_such_file(self, tmp_path: Path) -> None:
        result = edge_sv(tmp_path / "gone.tflite")
        assert result.returncode == 2
        assert "no such model" in result.stderr

    def test_folder_that_is_no_model(self, tmp_path: Path) -> None:
        result = edge_sv(tmp_path)
        assert result.returncode == 3
        assert str(tmp_path) in result.stderr

    @pytest.mark.parametrize("keep", [0, 100, 5000])
    def test_truncated_file(self, tflite_file: Path, tmp_path: Path, keep: int) -> None:
        damaged = tmp_path / "damaged.tflite"
        damaged.write_bytes(tflite_file.read_bytes()[:keep])
        result = edge_sv(damaged, without_tensorflow=True)
        assert (result.returncode, result.stdout) == (3, "")
        assert "error: " in result.stderr
        assert "Traceback" not in result.stderr

    def test_float_of_a_converted_net_alone(self, artifact: Path) -> None:
        assert edge_sv(artifact, "--float").returncode == 2
