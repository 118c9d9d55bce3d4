"""Generated code that computes something else is refused, and the operator is named."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import AccuracyGateFailed, DataError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_generated_c import check_speaker_package
from edge_sv.scoring.speech_sample import bundled_voices
from tests.broken_layers import break_layer


@pytest.fixture(scope="module")
def package(artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(artifact, load_target("cortex-m"), tmp_path_factory.mktemp("chip") / "package")


def test_every_segment_is_compared(package: DevicePackage, artifact: ModelArtifact) -> None:
    voices = bundled_voices()
    segments = sum(len(each) for _, each in voices.segments(artifact.features, artifact.segments))
    assert check_speaker_package(package, voices) == segments
    one = voices.evenly(1)
    assert 0 < check_speaker_package(package, one) < segments


def test_code_of_another_net_is_refused(package: DevicePackage, artifact: ModelArtifact) -> None:
    other = break_layer(artifact, "stage2_block1_conv1")
    with pytest.raises(DataError, match="is not of model 'tiny'"):
        check_speaker_package(dataclasses.replace(package, model=other.model, speaker=other), bundled_voices())


def test_a_changed_weight_is_found(package: DevicePackage, tmp_path: Path) -> None:
    """The package's sources on disk are what is compiled: one of their bytes decides."""
    copy = shutil.copytree(package.path, tmp_path / "copy")
    source = copy / "src" / "esv_model_constants.h"
    text = source.read_text()
    place = re.search(r"(-?\d+, ){12}", text)
    assert place is not None
    source.write_text(text[: place.start()] + re.sub(r"-?\d+", "100", place[0]) + text[place.end() :])
    with pytest.raises(AccuracyGateFailed, match="does not compute what") as caught:
        check_speaker_package(dataclasses.replace(package, path=copy), bundled_voices().evenly(1))
    assert set(caught.value.details) == {"at", "layer"}
