"""The `tflite` package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.artifacts.locate import MANIFEST_ENTRY
from edge_sv.embedders import LiteRTEmbedder
from edge_sv.package import DevicePackage
from edge_sv.package.golden_vectors import buzz
from edge_sv.package.manifest import Manifest
from edge_sv.package.read import COHORT_ENTRY
from edge_sv.tflite import metadata


def test_the_readme_s_python_runs(packages: dict[str, DevicePackage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(packages["tflite"].path)
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"pcm": buzz(24000, 16000)}
    exec(code, names)
    np.testing.assert_array_equal(names["embedding"], LiteRTEmbedder(packages["tflite"].artifact).embed(names["pcm"]))


def test_the_file_alone_is_the_package(packages: dict[str, DevicePackage]) -> None:
    package = packages["tflite"]
    inside = metadata.extract((package.path / "model.tflite").read_bytes())
    manifest = Manifest.model_validate_json(inside[MANIFEST_ENTRY])
    assert manifest == package.manifest.model_copy(update={"files": None})
    assert inside[COHORT_ENTRY] == (package.path / "cohort.npz").read_bytes()


def test_its_memory_is_litert_s_own_affair(packages: dict[str, DevicePackage]) -> None:
    sizes = packages["tflite"].manifest.sizes
    assert (sizes.ram_bytes, sizes.code_bytes_estimate, packages["tflite"].arena_bytes) == (None, None, None)
    assert sizes.flash_bytes == sizes.model_bytes + sizes.cohort_bytes
