"""The document has what could be made, and the reason for what could not; models compare by a form that all have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.errors import UsageError
from edge_sv.package import write_package
from edge_sv.package.target import load_target
from edge_sv.report import collect
from edge_sv.report.collect import Request, collect_report
from edge_sv.system.bundled import assets_dir
from tests.described_corpora import write_described

NET = assets_dir() / "resnet-nano"
WIDE, NARROW = NET / "static_wi8_ai8", NET / "palette_w4_ai8"


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float nets are listed and not run, which is quick; reports with TensorFlow are tested by the command."""
    monkeypatch.setattr(collect, "has_tensorflow", lambda: False)
    monkeypatch.setattr("edge_sv.report.nets.has_tensorflow", lambda: False)
    monkeypatch.setattr("edge_sv.analysis.layers.analyze_layers", _refuse)


def _refuse(*_: object, **__: object) -> None:
    raise UsageError("not traced here", hint="install it")


def reasons(document: dict[str, Any]) -> dict[str, str]:
    return {row["section"]: row["reason"] for row in document["left_out"]}


def test_models_stand_beside_their_float_net_the_largest_form_first() -> None:
    document = collect_report(Request(("resnet-nano",), "edge-sv report resnet-nano"))
    own, *converted = document["models"]
    assert own["is_float"] and own["short"] == "float" and own["bytes"] == document["nets"][0]["float_bytes"]
    assert [row["label"] for row in converted] == [form["label"] for form in document["forms"]]
    sizes = [row["bytes"] for row in converted]
    assert len(sizes) > 3 and sizes == sorted(sizes, reverse=True)
    assert {row["bytes_of"] for row in converted} == {"cortex-m"}
    assert all(row["ratio"] == pytest.approx(own["bytes"] / row["bytes"]) for row in converted)
    assert (document["title"], document["command"]) == ("resnet-nano", "edge-sv report resnet-nano")
    json.dumps(document, allow_nan=False)


def test_what_is_left_out_says_why() -> None:
    found = reasons(collect_report(Request((str(WIDE),), "")))
    assert found["float nets"].startswith("TensorFlow is not installed")
    assert found["error by layer, resnet-nano static_wi8_ai8"] == "not traced here (install it)"
    assert found["probing"] == found["score drift"] == "no speech was given (--data INDEX.csv)"
    assert found["training history"] == "no history.csv in assets/resnet-nano"


def test_a_check_s_figures_stand_with_model_and_float_net() -> None:
    document = collect_report(Request((str(WIDE),), ""))
    check = load_artifact(WIDE).provenance.stated["check"]
    own, converted = document["models"]
    assert converted["dev_eer"] == check["eer_int8"]
    assert own["dev_eer"] == (check.get("uncompressed") or {}).get("eer", check["eer_float"])


def test_models_without_a_form_in_common_have_no_bytes_to_compare(tmp_path: Path) -> None:
    """A package for a phone holds a .tflite file, one for a microcontroller C source."""
    phone = write_package(load_artifact(WIDE), load_target("tflite"), tmp_path / "phone")
    micro = write_package(load_artifact(NARROW), load_target("cortex-m"), tmp_path / "micro")
    document = collect_report(Request((str(phone.path), str(micro.path)), ""))
    assert {(row["bytes"], row["bytes_of"], row["ratio"]) for row in document["models"]} == {(None, None, None)}
    assert reasons(document)["weight distributions"] == "no float net at hand"
    same = collect_report(Request((str(micro.path), str(WIDE)), ""))
    assert {row["bytes_of"] for row in same["models"] if not row["is_float"]} == {"cortex-m"}


def test_two_nets_are_named_in_full() -> None:
    document = collect_report(Request((str(assets_dir() / "xvector-small" / "static_wi8_ai8"), str(WIDE)), ""))
    assert document["title"] == "xvector-small, resnet-nano"
    assert [row["short"] for row in document["models"]] == [row["label"] for row in document["models"]]
    assert [row["net"] for row in document["models"]] == ["xvector-small"] * 2 + ["resnet-nano"] * 2


def test_speech_for_nets_that_cannot_run_is_refused(tmp_path: Path) -> None:
    shutil.copytree(NET, tmp_path / "net", ignore=shutil.ignore_patterns("*_ai8", "compressed"))
    index = write_described(tmp_path, [{"speaker": "p", "tones": "20"}], corpus="aa")
    with pytest.raises(UsageError, match="none of the models can be run here"):
        collect_report(Request((str(tmp_path / "net"),), "", data=index))


def test_corpora_that_mix_languages_are_found(tmp_path: Path) -> None:
    def corpus(name: str, languages: str, *, listed: bool = True) -> Path:
        rows = [{"speaker": f"s{n}", "tones": f"{20 + n}", "language": value} for n, value in enumerate(languages)]
        index = write_described(tmp_path, rows, corpus=name)
        if listed:
            (tmp_path / name / "trials_test.txt").write_text("0 s0/r0.wav s1/r1.wav\n1 s0/r0.wav s0/r0.wav\n")
        return index

    corpus("mixed", "ab")
    corpus("one", "aa")
    corpus("unlisted", "ab", listed=False)
    corpus("untold", "  ")
    index = write_described(tmp_path, [{"speaker": "t", "tones": "30"}], corpus="tt", split="train")
    assert collect._mixed_corpora(index) == [tmp_path / "mixed"]


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no such model"):
        collect_report(Request(("gone/net",), ""))
