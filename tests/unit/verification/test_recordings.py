"""Enroll, verify and compare files and arrays with a model given by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.net import net_sha256
from edge_sv.audio.recording import read_recording
from edge_sv.embedders.model import load
from edge_sv.errors import UsageError
from edge_sv.system.bundled import assets_dir
from edge_sv.verification.recordings import compare, enroll, verify
from edge_sv.verification.verifier import open_verifier
from edge_sv.verification.voice_print import save_print
from tests.nets import make_float_net

VOICES = assets_dir() / "voices"


def voice(name: str) -> Path:
    return VOICES / f"{name}.flac"


def test_the_model_may_be_a_name_or_an_open_model(tmp_path: Path) -> None:
    ada = enroll([voice("ada_1"), str(voice("ada_2"))], name="Ada")
    assert ada == enroll([voice("ada_1"), voice("ada_2")], model=load("resnet-nano"), name="Ada")
    save_print(tmp_path / "ada.print", ada)
    by_name = verify(tmp_path / "ada.print", voice("ada_3"))
    assert by_name == verify(ada, voice("ada_3"), model=load("resnet-nano")) and by_name.accepted


def test_comparing_is_enrolling_one_recording_and_verifying_the_other() -> None:
    ada = enroll([voice("ada_1")])
    assert compare(voice("ada_1"), voice("bea_1")) == verify(ada, voice("bea_1"))


def test_one_path_is_no_list() -> None:
    with pytest.raises(UsageError, match="a list of recordings"):
        enroll(voice("ada_1"))  # type: ignore[arg-type]


def test_a_net_that_was_never_converted_verifies_by_cosine_once_there_is_a_threshold(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
    net = make_float_net(tmp_path / "net")
    model = load(net, runtime="keras")
    ada = enroll([voice("ada_1")], model=model)
    assert model.scoring is None and ada.model_sha256 == net_sha256(net)
    with pytest.raises(UsageError, match="carries no threshold"):
        verify(ada, voice("ada_1"), model=model)
    decision = verify(ada, voice("ada_1"), model=model, threshold=0.9)
    assert decision.accepted and decision.score == pytest.approx(1, abs=1e-5)
    opened = open_verifier(net, runtime="keras", threshold=0.9)
    assert opened.verify(ada, read_recording(voice("ada_1"))) == decision
