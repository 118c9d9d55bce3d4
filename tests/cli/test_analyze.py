"""`edge-sv analyze` as a user runs it: tables, one JSON document, plots, and errors that say what to do."""

from __future__ import annotations

import csv
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")

from edge_sv.cli.app import main
from edge_sv.system.bundled import assets_dir
from tests.nets import make_converted_net

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["edge-sv", "analyze", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("analyze") / "tiny")


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Options for a list of all pairs of the bundled voices."""
    folder = tmp_path_factory.mktemp("voices")
    names = sorted(path.name for path in (assets_dir() / "voices").glob("*.flac"))
    pairs = [(a, b) for number, a in enumerate(names) for b in names[number + 1 :]]
    (folder / "list.txt").write_text("".join(f"{int(a[:3] == b[:3])} {a} {b}\n" for a, b in pairs))
    with (folder / "utterances.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("utt_id", "files", "speaker"), *((name, name, name.split("_")[0]) for name in names)])
    options = ("--trials", folder / "list.txt", "--audio", assets_dir() / "voices")
    return [*options, "--utterances", folder / "utterances.csv", "--jobs", 1]


def document(out: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(out)
    assert values["schema_version"] == 1
    return values


def texts(path: Path) -> str:
    root = ElementTree.fromstring(path.read_bytes())
    return " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))


def test_weights_of_two_bundled_nets(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    code, out, _ = run("weights", "resnet-nano", "ecapa-small", "--plot", tmp_path / "w.svg")
    assert code == 0
    assert "stage4_block1_conv2" in out and "aggregation_conv" in out and "a gaussian" in out
    assert "roughness and kmeans/3 loss: rank correlation 0.9" in out
    assert "smoothest weights: ecapa-small" in out
    assert "resnet-nano (resnet)" in texts(tmp_path / "w.svg")


def test_weights_and_embeddings_as_json(run: Run, net: Path) -> None:
    code, out, _ = run("weights", net, "--embeddings", "--json")
    values = document(out)
    assert code == 0
    assert values["nets"][0]["name"] == "tiny"
    assert {row["bits"] for row in values["rounding"][0]["effects"]} == {2, 3, 4, 8}
    assert values["rounding"][0]["source"] == "bundled synthetic voices"


def test_layers(run: Run, net: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    code, out, _ = run("layers", net, "--plot", tmp_path / "l.svg")
    assert code == 0
    assert out.count("<") == sum(line.rstrip().endswith("<") for line in out.splitlines()) >= 1
    assert "stage2_block1_conv1" in texts(tmp_path / "l.svg")
    code, out, _ = run("layers", net / "static_wi8_ai8", "--against", net, "--json")
    assert code == 0 and document(out)["layers"][0]["layer"] == "stem_conv"


def test_drift(run: Run, net: Path, voices: list[object], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    code, out, _ = run("drift", net, "--against", net, *voices, "--json", "--plot", tmp_path / "d.svg")
    values = document(out)
    (model,) = values["models"]
    assert code == 0
    assert (model["recipe"], model["threshold_source"], values["trials"]) == ("static_wi8_ai8", "eer", 36)
    assert abs(model["drift"]["mean"]) < 0.02 and model["drift"]["correlation"] > 0.98
    assert model["drift"]["mean_ci"] is not None and model["drift"]["flips"]["trials"] == 36
    assert "static_wi8_ai8" in texts(tmp_path / "d.svg")
    code, out, _ = run("drift", net, "--against", net, *voices, "--threshold", "0.5")
    assert code == 0 and "0.500, as given" in out and "new misses" in out


def test_what_is_wrong_is_said(run: Run, net: Path, voices: list[object], tmp_path: Path) -> None:
    code, _, err = run("weights", net / "static_wi8_ai8")
    assert code == 2 and "wanted   a float net" in err
    code, _, err = run("weights", net, "--data", tmp_path / "index.csv")
    assert code == 2 and "--embeddings" in err
    code, _, err = run("layers", tmp_path)
    assert code == 3 and "is a folder without net.json" in err
    code, _, err = run("drift", net, "--against", net / "static_wi8_ai8", *voices)
    assert code == 2 and "wanted   a float net" in err
    (tmp_path / "empty.txt").write_text("")
    code, _, err = run("drift", net, "--against", net, "--trials", tmp_path / "empty.txt", "--audio", tmp_path)
    assert code == 3 and "is empty" in err
    code, _, err = run("wieghts", net)
    assert code == 2 and "did you mean 'weights'?" in err


def test_the_group_lists_its_commands(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    assert all(name in out for name in ("weights", "layers", "drift", "probe", "languages"))
