"""Lookup tables that change what the model computes are refused; converters/test_lut.py breaks them one by one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.locate import locate
from edge_sv.errors import AccuracyGateFailed
from edge_sv.package import write_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_lookup_tables import check_tables
from edge_sv.scoring.speech_sample import bundled_voices
from tests.broken_layers import break_layer


def test_tables_of_a_bundled_net_pass_and_anothers_fail(tmp_path: Path) -> None:
    path = locate("resnet-nano").artifact("palette_w4_ai8")
    assert path is not None
    plain = load_artifact(path)
    package = write_package(plain, load_target("tflite-micro"), tmp_path / "package")
    voices = bundled_voices().evenly(2)
    assert package.manifest.lookup is not None and check_tables(package, plain, voices) > 0
    with pytest.raises(AccuracyGateFailed, match="lookup tables change"):
        check_tables(package, break_layer(plain, "stage1_block1_conv1"), voices)
    same = dataclasses.replace(package, model=plain.model, speaker=plain)
    assert check_tables(same, plain, voices) > 0
