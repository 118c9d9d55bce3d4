"""Mistakes around compression, as a user meets them: what is wrong, where, what to do; and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")

from edge_sv.cli.app import main
from edge_sv.models.checkpoint import NetDescription, build_net, save_net
from edge_sv.models.df_resnet import DfResNetConfig
from tests.nets import FEATURES, SEGMENTS, make_float_net, voices


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def edge_sv(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run a command in this process, as TensorFlow takes seconds to load."""

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["edge-sv", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Told(ended.value.code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe of rules, each the text of its keys."""

    def write(*rules: str, more: str = "") -> Path:
        path = tmp_path / "mine.toml"
        body = "".join(f"[[rules]]\n{rule}\n" for rule in rules)
        path.write_text(f'name = "mine"\ndescription = "a test"\n{body}{more}')
        return path

    return write


@pytest.fixture
def speech(tmp_path: Path) -> Callable[..., Path]:
    """Write the bundled voices as a table of training speech, each changed by a function."""

    def write(change: Callable[[np.ndarray], np.ndarray]) -> Path:
        rows = ["path,speaker,corpus,split"]
        for voice in voices():
            pcm, rate = soundfile.read(voice, dtype="int16")
            soundfile.write(tmp_path / f"{voice.stem}.wav", change(pcm), rate)
            rows.append(f"{voice.stem}.wav,{voice.stem.split('_')[0]},voices,train")
        path = tmp_path / "index.csv"
        path.write_text("\n".join(rows) + "\n")
        return path

    return write


KMEANS = 'match = "*"\nweights = 4\nquantizer = "kmeans"'
EIGHT = "\nweights = 8"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([KMEANS, KMEANS.replace("4", "2")], ["contradicts an earlier rule", "rule 2", "remove one of the two"]),
        ([KMEANS.replace("4", "9")], ["rules.0.weights", "got 9"]),
        ([KMEANS.replace("weights", "weight")], ["rules.0.weight ", "did you mean 'weights'?"]),
        ([KMEANS.replace("kmeans", "kmean")], ["did you mean 'kmeans'"]),
        ([KMEANS.replace("kmeans", "powers_of_two").replace("4", "6")], ["'powers_of_two' has no 6 bits", "2, 3, 4"]),
        (['match = "*"\nweights = 4'], ["needs a quantizer for 4 bits", "kmeans"]),
        ([], ["rules", "is missing"]),
    ],
)
def test_recipes_that_cannot_be(
    edge_sv: Callable[..., Told], recipe: Callable[..., Path], rules: list[str], told: list[str]
) -> None:
    result = edge_sv("recipes", recipe(*rules))
    assert result.code == 2 and result.out == ""
    assert [text for text in told if text not in result.err] == []


def test_a_recipe_that_is_not_toml(edge_sv: Callable[..., Told], tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = \n")
    result = edge_sv("recipes", path)
    assert result.code == 3 and f"cannot read {path}" in result.err and "line 1" in result.err


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([f'match = "stage9_*"{EIGHT}', KMEANS], ["rule 1 matches no layer", "stage9_*", "stem_conv"]),
        ([f'match = "stem*"{EIGHT}', KMEANS], ["rule 1 decides nothing", "stem_conv", "put the wider one first"]),
    ],
)
def test_recipes_that_do_not_fit_the_net(
    edge_sv: Callable[..., Told], recipe: Callable[..., Path], net: Path, tmp_path: Path, rules: list[str], told: list
) -> None:
    result = edge_sv("build", net, "--recipe", recipe(*rules), "--work", tmp_path / "work", "--out", tmp_path / "p")
    assert result.code == 2 and not (tmp_path / "p").exists()
    assert [text for text in told if text not in result.err] == []


def test_a_layer_that_stays_8_bits_is_named(
    edge_sv: Callable[..., Told], recipe: Callable[..., Path], tmp_path: Path
) -> None:
    config = DfResNetConfig((2, 2), (8,), (1,), 2, pooling="deviation", embedding_dim=8)
    description = NetDescription("tiny", "df_resnet", config, FEATURES, SEGMENTS)
    save_net(tmp_path / "net", description, build_net(description))
    result = edge_sv(
        "build", tmp_path / "net", "--recipe", recipe(KMEANS.replace("*", "*_depthwise")), "--work", tmp_path
    )
    assert result.code == 2
    assert "stage1_block1_depthwise" in result.err and "depthwise" in result.err and "8 bits" in result.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (np.zeros_like, "silent"),
        (lambda pcm: pcm[:1000], "no recording"),
    ],
    ids=["silent", "short"],
)
@pytest.mark.parametrize("name", ["static_wi8_ai8", "palette_w4_ai8"])
def test_speech_that_is_none(
    edge_sv: Callable[..., Told],
    speech: Callable[..., Path],
    net: Path,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray],
    told: str,
    name: str,
) -> None:
    result = edge_sv("build", net, "--recipe", name, "--data", speech(change), "--work", tmp_path / "work")
    assert result.code == 3
    assert told in result.err


@pytest.mark.parametrize("bits", [5, 7])
def test_bits_that_the_target_cannot_hold(
    edge_sv: Callable[..., Told], recipe: Callable[..., Path], net: Path, tmp_path: Path, bits: int
) -> None:
    mine = recipe(KMEANS.replace("4", str(bits)))
    result = edge_sv("build", net, "--recipe", mine, "--target", "cortex-m", "--work", tmp_path / "work")
    assert result.code == 2
    for text in (f"{bits}-bit weights", "'cortex-m' holds 1, 2, 3, 4, 8", "rule", "weights = 4", "tflite-micro"):
        assert text in result.err


def test_fine_tuning_without_speech(edge_sv: Callable[..., Told], net: Path, tmp_path: Path) -> None:
    result = edge_sv("build", net, "--recipe", "palette_w4_ai8", "--work", tmp_path / "work")
    assert result.code == 3 and "--data" in result.err


class TestBudget:
    def test_below_the_floor(self, edge_sv: Callable[..., Told], net: Path, tmp_path: Path) -> None:
        command = ["build", net, "--recipe", "mixed_w248_ai8", "--work", tmp_path / "work", "--dry-run"]
        result = edge_sv(*command, "--budget", "500")
        assert result.code in (2, 4)
        assert "500" in result.err and "bytes" in result.err

    def test_of_a_recipe_that_chooses_nothing(self, edge_sv: Callable[..., Told], net: Path, tmp_path: Path) -> None:
        result = edge_sv("build", net, "--recipe", "palette_w4_ai8", "--budget", "3KB", "--work", tmp_path / "work")
        assert result.code == 2 and "has no budget" in result.err and "mixed_w248_ai8" in result.err

    def test_that_is_no_size(self, edge_sv: Callable[..., Told], net: Path) -> None:
        result = edge_sv("build", net, "--recipe", "mixed_w248_ai8", "--budget", "little")
        assert result.code == 2 and "--budget little is not a size" in result.err
